"""Environment variables in a record: what a run can depend on stays readable, who ran it does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.system.env_snapshot import PREFIXES, WITHHELD, Identity, hashed, recorded

NOBODY = Identity.of()
ALICE = Identity.of("gpubox7.lab.example.edu", "alice", "/home/alice")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TF_XLA_FLAGS", "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"),
        ("TF_GPU_THREAD_MODE", "gpu_private"),
        ("TF_NUM_INTRAOP_THREADS", "2"),
        ("KMP_AFFINITY", "granularity=fine,compact,1,0"),
        ("OMP_PLACES", "{0}:4:2"),
        ("CUDA_VISIBLE_DEVICES", "0,1"),
        ("CUDA_VERSION", "12.8.0.38"),
        ("NVIDIA_TENSORFLOW_VERSION", "25.02-tf2"),
        ("TF_ENABLE_ONEDNN_OPTS", ""),
    ],
)
def test_a_setting_that_can_change_a_run_is_kept_as_it_is(name: str, value: str) -> None:
    assert recorded({name: value}, ALICE) == {name: value}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("XLA_FLAGS", "--xla_gpu_cuda_data_dir=/usr/local/cuda-12 --x=1", "--xla_gpu_cuda_data_dir=cuda-12 --x=1"),
        ("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/tmp/xla", "--tf_xla_persistent_cache_directory=xla"),
        ("CUDA_HOME", "/usr/local/cuda/", "cuda"),
        ("CUDA_CACHE_PATH", "~bob/cache", "cache"),
        ("CUDA_VISIBLE_DEVICES", "GPU-8f1c2a", f"GPU-{hashed('GPU-8f1c2a')}"),
        ("CUDA_CACHE_PATH", "/home/alice", WITHHELD),
        ("CUDA_CACHE_PATH", "/scratch/alice_cache", WITHHELD),
        ("TF_JOB", "on-GPUBOX7", WITHHELD),
        ("TF_CONFIG", '{"cluster": {}}', WITHHELD),
        ("NVIDIA_API_KEY", "nvapi-1", WITHHELD),
        ("NCCL_COMM_ID", "1", WITHHELD),
        ("NCCL_DEBUG_PEER", "10.0.0.7", WITHHELD),
        ("NCCL_DEBUG_PEER", "fe80::1", WITHHELD),
        ("NCCL_DEBUG_PEER", "node3:2222", WITHHELD),
        ("NCCL_DEBUG_PEER", "bob@somewhere", WITHHELD),
        ("NCCL_DEBUG_PEER", "login.cluster.internal", WITHHELD),
        ("XLA_FLAGS", "x" * 501, f"sha256:{hashed('x' * 501)}"),
    ],
)
def test_a_value_that_tells_more_is_cut_or_withheld(name: str, value: str, shown: str) -> None:
    assert recorded({name: value}, ALICE) == {name: shown}


@pytest.mark.parametrize("name", ["PATH", "HOME", "AWS_SECRET", "TF_VAR_PASSWORD", "TF_CLI_ARGS", "tf_x", "TF_ALICE_X"])
def test_other_variables_are_left_out(name: str) -> None:
    assert recorded({name: "1"}, ALICE) == {}


@pytest.mark.parametrize("value", ["nvidia", "cuda-12", "h200"])
def test_a_name_that_many_share_withholds_no_value(value: str) -> None:
    assert recorded({"XLA_FLAGS": value}, Identity.of("h200", "nvidia", "/home/nvidia")) == {"XLA_FLAGS": value}


def test_a_user_called_like_a_prefix_hides_no_variable() -> None:
    assert recorded({"NVIDIA_VISIBLE_DEVICES": "all"}, Identity.of("nvidia")) == {"NVIDIA_VISIBLE_DEVICES": "all"}


names = st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True)
pieces = st.sampled_from(
    ["HOST", "USER", "HOME", "HOME/x", "/opt/a b/c", "--f=", "=", " ", ",", "1", "on", '"', "~", "é"]
)


@given(
    host=names,
    domain=st.sampled_from(["", ".example.edu"]),
    user=names,
    home=st.sampled_from(["/home/", "/Users/", "/data/people/"]),
    name=st.tuples(st.sampled_from(PREFIXES), st.from_regex(r"[A-Z_0-9]{0,12}", fullmatch=True)).map("".join),
    value=st.lists(pieces | st.text(max_size=8), max_size=8),
)
@example(host="vm", domain="", user="root", home="/", name="TF_X", value=["vm=", "HOME"])
@example(host="h", domain="", user="gpu", home="/home/", name="CUDA_VISIBLE_DEVICES", value=["GPU-", "1"])
def test_no_record_tells_host_user_home_or_an_absolute_path(
    host: str, domain: str, user: str, home: str, name: str, value: list[str]
) -> None:
    private = {"HOST": host + domain, "USER": user.upper(), "HOME": home + user, "HOME/x": f"{home}{user}/x"}
    text = "".join(private.get(piece, piece) for piece in value)
    identity = Identity.of(host + domain, user, home + user)
    for shown_name, shown in recorded({name: text}, identity).items():
        told = f"{shown_name.partition('_')[2]} {shown}".lower()
        assert shown == WITHHELD or "/" not in shown
        for private_name in identity.names & {host, user}:
            end = "" if len(private_name) >= 5 else r"(?![^\W_])"
            assert shown == WITHHELD or not re.search(rf"(?<![^\W_]){re.escape(private_name)}{end}", told)


@given(st.text(max_size=40))
@example("\udcff")  # a byte that is no UTF-8, as os.environ gives it
def test_any_value_becomes_text_that_json_files_can_hold(value: str) -> None:
    for shown in recorded({"TF_X": value}, NOBODY).values():
        shown.encode("utf-8")
