"""The environment variables that can change a run: what a record keeps, and what goes into a container."""

from __future__ import annotations

#: Read by TensorFlow, XLA, PyTorch, JAX, the CUDA libraries, oneDNN, MKL and OpenMP; each can change speed or accuracy.
PREFIXES = (
    "TF_",
    "XLA_",
    "CUDA_",
    "CUDNN_",
    "CUBLAS_",
    "NCCL_",
    "NVIDIA_",
    "OMP_",
    "ONEDNN_",
    "DNNL_",
    "KMP_",
    "TORCH_",
    "PYTORCH_",
    "JAX_",
    "MKL_",
)
