"""The input pipelines and the augmentation of batches."""
