"""Container images and engines: the catalog, the choice of an image, builds and checks."""

CONTAINER, NATIVE = "container", "native"
