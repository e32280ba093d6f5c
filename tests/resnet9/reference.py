"""ResNet9 in plain numpy, float64, written from the description: what the trainer's training step is compared with."""

from __future__ import annotations

import numpy as np


def conv(x, w):
    """3x3, stride 1, zero padding 1: [N,H,W,Cin] x [3,3,Cin,Cout]. Returns output and what backward needs."""
    _, h, wd, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = sum(padded[:, i : i + h, j : j + wd] @ w[i, j] for i in range(3) for j in range(3))
    return y, (padded, w)


def conv_backward(dy, cache):
    padded, w = cache
    _, h, wd, _ = dy.shape
    dw, dpadded = np.zeros_like(w), np.zeros_like(padded)
    for i in range(3):
        for j in range(3):
            part = padded[:, i : i + h, j : j + wd]
            dw[i, j] = np.einsum("nhwc,nhwd->cd", part, dy)
            dpadded[:, i : i + h, j : j + wd] += dy @ w[i, j].T
    return dpadded[:, 1:-1, 1:-1], dw


def norm(x, scale, bias, epsilon):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    hat = (x - mean) / np.sqrt(variance + epsilon)
    return hat * scale + bias, (hat, scale, variance, epsilon), (mean, variance)


def norm_backward(dy, cache):
    hat, scale, variance, epsilon = cache
    dbias, dscale = dy.sum((0, 1, 2)), (dy * hat).sum((0, 1, 2))
    count = dy.size / dy.shape[-1]
    dx = scale / np.sqrt(variance + epsilon) * (dy - dbias / count - hat * dscale / count)
    return dx, dscale, dbias


def pool(x, size):
    n, h, w, c = x.shape
    windows = x.reshape(n, h // size, size, w // size, size, c)
    y = windows.max((2, 4))
    return y, (x.shape, size, windows == y[:, :, None, :, None])


def pool_backward(dy, cache):
    shape, _, mask = cache
    # Inputs are continuous after batch norm, except zeros after the ReLU, whose gradient is 0 anyway: one winner a
    # window.
    return (mask * dy[:, :, None, :, None]).reshape(shape)


class Block:
    """conv, norm, ReLU, pool with a backward pass that stores gradients in ``grads``."""

    def __init__(self, kernel, scale, bias, epsilon, pooled):
        self.kernel, self.scale, self.bias, self.epsilon, self.pooled = kernel, scale, bias, epsilon, pooled

    def forward(self, x):
        x, self.conv_cache = conv(x, self.kernel)
        x, self.norm_cache, self.moments = norm(x, self.scale, self.bias, self.epsilon)
        self.positive = x > 0
        x = x * self.positive
        self.count = x.size // x.shape[-1]
        if self.pooled:
            x, self.pool_cache = pool(x, 2)
        return x

    def backward(self, dy):
        if self.pooled:
            dy = pool_backward(dy, self.pool_cache)
        dy, dscale, dbias = norm_backward(dy * self.positive, self.norm_cache)
        dx, dkernel = conv_backward(dy, self.conv_cache)
        self.grads = (dkernel, dscale, dbias)
        return dx


def loss_and_gradients(blocks, linear, images, labels, logit_scale):
    """Mean cross entropy of ResNet9 over [N,32,32,3]; gradients end up in the blocks; returns (loss, logits, d
    linear).
    """
    prep, layer1, r1a, r1b, layer2, layer3, r3a, r3b = blocks
    a = layer1.forward(prep.forward(images))
    b = a + r1b.forward(r1a.forward(a))
    c = layer3.forward(layer2.forward(b))
    d = c + r3b.forward(r3a.forward(c))
    pooled, pool_cache = pool(d, 4)
    features = pooled[:, 0, 0]
    logits = features @ linear * logit_scale
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    n = len(labels)
    loss = -log_p[np.arange(n), labels].mean()
    dlogits = np.exp(log_p)
    dlogits[np.arange(n), labels] -= 1
    dlogits *= logit_scale / n
    dlinear = features.T @ dlogits
    dd = pool_backward((dlogits @ linear.T)[:, None, None], pool_cache)
    dc = dd + r3a.backward(r3b.backward(dd))
    db = layer2.backward(layer3.backward(dc))
    da = db + r1a.backward(r1b.backward(db))
    prep.backward(layer1.backward(da))
    return loss, logits, dlinear
