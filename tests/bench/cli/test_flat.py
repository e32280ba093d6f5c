from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from bench.campaign import dataset_export
from bench.campaign.dataset import Data
from resnet9.data import dataset, sources, synthetic


@cache
def small() -> dataset.Dataset:
    return synthetic.make(train=40, test=20)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Data]:
    monkeypatch.setattr(sources, "load", lambda where: small())
    return Data("synthetic", "synthetic", "synthetic", small().sha256, small().test_labels.tobytes())


def test_the_files_sha256_is_the_content_hash(data: Data) -> None:
    with dataset_export.file_of(data) as path:
        content = path.read_bytes()

    assert sha256(content).hexdigest() == data.sha256
    assert content[40:60] == data.test_labels
    first = np.frombuffer(content[60 : 60 + 3072], np.uint8).reshape(3, 32, 32)
    assert (first == small().train_images[0].transpose(2, 0, 1)).all()


def test_the_file_is_gone_afterwards(data: Data) -> None:
    with dataset_export.added(data, wanted=True) as given:
        assert given.flat is not None and given.flat.is_file()

    assert not given.flat.parent.exists()


def test_nothing_is_written_for_a_trainer_that_reads_the_data_itself(data: Data) -> None:
    with dataset_export.added(data, wanted=False) as given:
        assert given.flat is None


def test_the_copy_beside_a_verified_archive_is_used_where_it_is_whole(data: Data, tmp_path: Path) -> None:
    archive, kept = tmp_path / "cifar-10-binary.tar.gz", tmp_path / "cifar10.u8"
    with dataset_export.file_of(data) as path:
        kept.write_bytes(path.read_bytes())
    verified = Data(str(archive), "cifar10", "canonical", data.sha256, data.test_labels)

    with dataset_export.file_of(verified) as path:
        assert path == kept
    kept.write_bytes(b"damaged")
    with dataset_export.file_of(verified) as path:
        assert path != kept
        assert sha256(path.read_bytes()).hexdigest() == data.sha256
