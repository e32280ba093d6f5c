"""CIFAR-10: found, verified, downloaded, converted, or drawn as a synthetic dataset."""
