"""The trainer: ResNet9 on CIFAR-10 in TensorFlow, usable alone as `python -m resnet9`."""

__version__ = "0.1.0"
