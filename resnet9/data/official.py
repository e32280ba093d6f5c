"""What is known about the official CIFAR-10: its archives and their checksums, its files, its classes and their counts.

Source: the dataset's home page (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009); the counts
were taken from the labels themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

#: The dataset's home; the name of an archive follows.
HOME = "https://www.cs.toronto.edu/~kriz/"
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
#: What to do where the dataset is missing or damaged.
GET_IT = "type `make data` to download it, or give DATA=/path"
SIDE = 32
PIXEL_BYTES = 3 * SIDE * SIDE
#: The binary layout's record: one label byte, then the pixels, channel before row and column.
RECORD_BYTES = 1 + PIXEL_BYTES
#: The batches in the dataset's own order; the last one is the test set.
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


@dataclass(frozen=True)
class Archive:
    """An archive as it is published. ``layout`` is ``binary`` or ``python``; its files lie in ``folder``."""

    name: str
    layout: str
    size_bytes: int
    sha256: str
    title: ClassVar[str] = "an official archive"
    state: ClassVar[str] = "canonical"

    @property
    def folder(self) -> str:
        """The folder inside the archive, which is also the name of the unpacked one."""
        return "cifar-10-batches-bin" if self.layout == "binary" else "cifar-10-batches-py"

    def file_name(self, batch: str) -> str:
        """The name of a batch's file inside ``folder``."""
        return f"{batch}.bin" if self.layout == "binary" else batch


BINARY = Archive(
    name="cifar-10-binary.tar.gz",
    layout="binary",
    size_bytes=170_052_171,
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
PYTHON = Archive(
    name="cifar-10-python.tar.gz",
    layout="python",
    size_bytes=170_498_071,
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
#: MD5 of each batch of the Python layout, as torchvision.datasets.CIFAR10 lists them.
BATCH_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
#: Content hash of the official images and labels: an unpacked binary folder that has it is canonical. To set it, run
#: `make data` on a copy that is verified (an official archive, or batches that have the MD5s above); it keeps the hash
#: in data/canonical.sha256. That file is for maintainers: the code never reads it.
CANONICAL_SHA256: str | None = None


@dataclass(frozen=True)
class Unpacked:
    """A form in which CIFAR-10 lies in a folder. ``state`` is the state of data read from it, without a pinned hash.

    ``folders`` are looked for in the folder that is named, "" being that folder, and ``files`` in them; all are glob
    patterns.
    """

    layout: str
    title: str
    state: str
    folders: tuple[str, ...]
    files: tuple[str, ...]


#: The forms that are known, the one to prefer first.
UNPACKED = (
    Unpacked(
        "binary",
        "an unpacked folder",
        "unverified",
        folders=(BINARY.folder, ""),
        files=("data_batch_[1-5].bin", "test_batch.bin"),
    ),
    Unpacked(
        "python",
        "unpacked pickles",
        "canonical",
        # torchvision and Keras 2 unpack to the first, versions of Keras 3 to the second.
        folders=(PYTHON.folder, f"{PYTHON.folder}*/{PYTHON.folder}", ""),
        files=("data_batch_[1-5]", "test_batch"),
    ),
    Unpacked(
        "parquet",
        "Parquet files, which are converted once",
        "unverified",
        # A clone of the Hugging Face hub's cifar10, and the hub's own cache of it.
        folders=("plain_text", "snapshots/*/plain_text", ""),
        files=("train-*.parquet", "train/*.parquet", "test-*.parquet", "test/*.parquet"),
    ),
)


@dataclass(frozen=True)
class Edition:
    """What a loader holds a dataset against; tests use small editions of their own.

    ``class_counts`` has one row a batch, in the order of ``BATCHES``: how many of its images are of each class. The
    official training batches are drawn at random, so that each has different counts and can be identified.
    ``batch_md5`` are the published MD5s of the pickled batches, ``canonical_sha256`` is the content hash, where it is
    known.
    """

    archives: tuple[Archive, ...]
    class_counts: tuple[tuple[int, ...], ...]
    batch_md5: Mapping[str, str] = field(default_factory=dict)
    canonical_sha256: str | None = None

    @property
    def batch_images(self) -> int:
        """Images in each batch."""
        return sum(self.class_counts[0])

    @property
    def images(self) -> int:
        """Images in all batches."""
        return self.batch_images * len(BATCHES)

    @property
    def train_images(self) -> int:
        """Images in the training batches."""
        return self.images - self.batch_images


CIFAR10 = Edition(
    archives=(BINARY, PYTHON),
    class_counts=(
        (1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981),
        (984, 1007, 1010, 995, 1010, 988, 1008, 1026, 987, 985),
        (994, 1042, 965, 997, 990, 1029, 978, 1015, 961, 1029),
        (1003, 963, 1041, 976, 1004, 1021, 1004, 981, 1024, 983),
        (1014, 1014, 952, 1016, 997, 1025, 980, 977, 1003, 1022),
        (1000,) * 10,
    ),
    batch_md5=BATCH_MD5,
    canonical_sha256=CANONICAL_SHA256,
)
