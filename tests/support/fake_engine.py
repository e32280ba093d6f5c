"""A small real container engine for tests without one: a program called ``docker`` or ``podman`` that keeps its images
and containers in files, and runs a container's command as a process of this machine.

It isolates nothing. What a test can see with it is what the harness asks of an engine, in what order, and what becomes
of a container whose client ends before it: as with a daemon, the container's process is not the client's child.

``install(folder, ...)`` writes the program; it is this file, which then keeps its state in ``folder``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: What an engine has that nothing is wrong with.
USUAL: dict[str, Any] = {
    "info": {"ServerVersion": "27.0.1", "SecurityOptions": ["name=seccomp,profile=builtin"], "DockerRootDir": "/"},
    "images": {},
    "registry": {},
    # Words on standard error, by command, that it fails with: `run`, `pull`, `rm`, ... `start` fails a container.
    "fails": {},
}


def install(folder: Path, name: str = "docker", **settings: Any) -> Path:
    """Put the engine called ``name`` into ``folder``, which goes onto PATH; returns the folder of its state."""
    folder.mkdir(parents=True, exist_ok=True)
    program, state = folder / name, folder / f"{name}-state"
    state.mkdir(exist_ok=True)
    (state / "settings.json").write_text(json.dumps({**USUAL, **settings}))
    shutil.copy(__file__, state / "engine.py")
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -S '{state / 'engine.py'}' '{state}' \"$@\"\n")
    program.chmod(0o755)
    return state


def image(*digests: str, labels: dict[str, str] | None = None, env: list[str] | None = None) -> dict[str, Any]:
    """An image as ``image inspect`` shows it."""
    return {
        "Id": f"sha256:{'f' * 64}",
        "RepoDigests": [f"some/where@{digest}" for digest in digests],
        "Config": {"Labels": labels or {}, "Env": env or ["PATH=/usr/bin"]},
    }


def calls(state: Path) -> list[list[str]]:
    """The words of every call, in order."""
    log = state / "calls.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def containers(state: Path) -> list[str]:
    """The names of the containers that are there, running or not."""
    return (
        sorted(path.stem for path in (state / "containers").glob("*.json")) if (state / "containers").exists() else []
    )


class Engine:
    """One call of the program."""

    def __init__(self, state: Path) -> None:
        self.state, self.settings = state, json.loads((state / "settings.json").read_text())
        self.containers = state / "containers"
        self.containers.mkdir(exist_ok=True)

    def main(self, words: list[str]) -> int:
        with open(self.state / "calls.jsonl", "a") as log:
            log.write(json.dumps(words) + "\n")
        name = words[0] if words[0] != "container" and words[0] != "image" else words[1]
        if name in self.settings["fails"] and name != "run":
            return self.fail(self.settings["fails"][name])
        if words[0] == "image":
            return self.inspect_image(words[-1])
        if words[0] == "container":
            return self.inspect_container(words[-1])
        if words[0] == "context":
            print("unix:///var/run/docker.sock")
            return 0
        return int(getattr(self, words[0])(words[1:]))

    def fail(self, why: str, code: int = 1) -> int:
        print(why, file=sys.stderr)
        return code

    def info(self, words: list[str]) -> int:
        print(json.dumps(self.settings["info"]))
        return 0

    def build(self, words: list[str]) -> int:
        return 0

    def pull(self, words: list[str]) -> int:
        found = self.settings["registry"].get(words[-1])
        if found is None:
            return self.fail(f"Error response from daemon: manifest for {words[-1]} not found: manifest unknown")
        self.settings["images"][words[-1]] = found
        (self.state / "settings.json").write_text(json.dumps(self.settings))
        return 0

    def inspect_image(self, reference: str) -> int:
        found = self.settings["images"].get(reference)
        if found is None:
            return self.fail(f"Error: No such image: {reference}")
        print(json.dumps([found]))
        return 0

    def inspect_container(self, name: str) -> int:
        if not (self.containers / f"{name}.json").exists():
            return self.fail(f"Error: No such container: {name}")
        print((self.containers / f"{name}.json").read_text())
        return 0

    def ps(self, words: list[str]) -> int:
        print("\n".join(sorted(path.stem for path in self.containers.glob("*.json"))))
        return 0

    def kill(self, words: list[str]) -> int:
        return self.end(words[-1], keep=True)

    def rm(self, words: list[str]) -> int:
        return max(self.end(name, keep=False) for name in words if not name.startswith("-"))

    def end(self, name: str, keep: bool) -> int:
        path = self.containers / f"{name}.json"
        if not path.exists():
            return self.fail(f"Error: No such container: {name}")
        pid = json.loads(path.read_text()).get("Pid")
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        if not keep:
            path.unlink()
        return 0

    def run(self, words: list[str]) -> int:
        if "run" in self.settings["fails"]:
            return self.fail(self.settings["fails"]["run"], 125)
        options: dict[str, list[str]] = {}
        while words[0].startswith("-"):
            option = words.pop(0)
            name, equals, value = option.partition("=")
            takes = {"--mount", "--env", "--ulimit", "-e"}
            options.setdefault(name, []).append(value if equals or name not in takes else words.pop(0))
        name, reference, command = options["--name"][0], words[0], words[1:]
        if reference not in self.settings["images"]:
            return self.fail(
                f"docker: Error response from daemon: No such image: {reference}.\nSee 'docker run --help'.", 125
            )
        return self.start(name, command, options)

    def start(self, name: str, command: list[str], options: dict[str, list[str]]) -> int:
        mounts = [dict(part.partition("=")[::2] for part in each.split(",")) for each in options.get("--mount", [])]
        places = {each["target"]: each["source"] for each in mounts}

        def outside(word: str) -> str:
            for target, source in places.items():
                if word == target or word.startswith(f"{target}/"):
                    return source + word[len(target) :]
            return word

        # As from a real one: what is passed on, and nothing else of the client's environment. BENCH_EVENTS keeps the
        # path it has inside, by which the harness knows the process; the trainer of tests reads another variable.
        pairs = [word.partition("=") for word in options.get("--env", [])]
        env = {key: value if equals else os.environ[key] for key, equals, value in pairs if equals or key in os.environ}
        env["SCRIPTED_EVENTS"] = outside(env.get("BENCH_EVENTS", ""))
        words = [sys.executable if command[0] == "python3" else command[0], *map(outside, command[1:])]
        path = self.containers / f"{name}.json"
        if "start" in self.settings["fails"]:
            path.write_text(json.dumps({"Status": "created", "Running": False, "ExitCode": 127, "OOMKilled": False}))
            return self.fail(self.settings["fails"]["start"], 127)
        process = subprocess.Popen(words, env=env, cwd=outside(options["--workdir"][0]), start_new_session=True)
        running = {"Status": "running", "Running": True, "ExitCode": 0, "OOMKilled": False, "Pid": process.pid}
        path.write_text(json.dumps(running))
        deaf = self.settings.get("deaf")
        signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda number, frame: process.terminate())
        code = process.wait()
        code = 128 - code if code < 0 else code
        if path.exists():
            ended = {
                "Status": "exited",
                "Running": False,
                "ExitCode": code,
                "OOMKilled": self.settings.get("oom", False),
            }
            path.write_text(json.dumps(ended))
        time.sleep(self.settings.get("lingers", 0))
        return code


if __name__ == "__main__":
    sys.exit(Engine(Path(sys.argv[1])).main(sys.argv[2:]))
