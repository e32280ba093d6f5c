"""A trainer in a few lines: a real process that speaks the protocol, or breaks it, as a script tells it.

``python scripted_trainer.py SCRIPT`` where SCRIPT is a JSON list of steps, or a file that holds one; each step is a
list ``[name, argument...]``:

``hello {fields}``, ``phase {fields}``, ``epoch {fields}``, ``event {fields}``, ``done``
    write that event; fields given replace the usual ones.
``raw TEXT [TIMES]``, ``bytes HEX``
    write this to the FIFO as it is.
``predictions CORRECT TOTAL``
    write ``predictions.u8``: the first CORRECT of TOTAL are class 0, which is right, the others class 1.
``predict PATH CORRECT``
    the same for real labels, one byte each in the file PATH.
``run EPOCHS CORRECT``
    a whole honest run of 20 test images: hello where it was not said yet, phases, EPOCHS epochs with CORRECT right in
    the last one, done.
``print TEXT``, ``tell VARIABLE``, ``sleep SECONDS``, ``wait PATH``, ``exit CODE``, ``signal NUMBER``,
``signal_parent NUMBER``, ``close``, ``touch PATH``
    what they say, ``tell`` printing a variable of the environment; ``sleep`` with no argument is for ever.
``ticks COUNT``
    wait until the sampler has so many rows in ``telemetry.csv`` of ticks since the last phase ended.
``ignore_sigterm``, ``fork PATH``, ``daemon PATH``, ``tracker``
    be stubborn; leave a child behind that sleeps for ever, its process id in PATH; leave one in a session of its own,
    with another parent and an empty environment; leave one that ends because the trainer has.

Without a FIFO (``BENCH_EVENTS`` not opened until the first event) a script that only sleeps is a trainer that never
opens it. Standard library only, and nothing of the harness: that is the promise of the protocol.
"""

import json
import os
import signal
import sys
import time

TEST_IMAGES = 20
RECIPE = {"name": "tiny", "sha256": "r" * 64, "target_percent": 94.0, "epochs": 3, "steps_per_epoch": 5, "batch": 4}
HELLO = {
    "trainer": "scripted 1",
    "framework": "none 0",
    "runs": 1,
    "recipe": RECIPE,
    "dataset": {"name": "synthetic", "sha256": "d" * 64, "state": "synthetic"},
    "precision": "fp32",
    "input": "host",
    "device": {"kind": "cpu", "name": "a CPU", "uuid": ""},
    "threads": 1,
    "xla": {"on": False, "flags": ""},
}


def events() -> str:
    """Where to write; in the fake container engine the variable has the path of a container that is none."""
    return os.environ.get("SCRIPTED_EVENTS") or os.environ["BENCH_EVENTS"]


class Scripted:
    def __init__(self) -> None:
        self.stream = None
        self.hello_received = False
        self.marked_ns = time.monotonic_ns()

    def write(self, data: bytes) -> None:
        if self.stream is None:
            self.stream = open(events(), "wb", buffering=0)  # noqa: SIM115
        self.stream.write(data)

    def event(self, fields: dict) -> None:
        body = {"v": 1, "run": 0, "t_ns": time.monotonic_ns(), **fields}
        self.write(json.dumps(body).encode() + b"\n")

    def hello(self, fields: dict | None = None) -> None:
        self.hello_received = True
        self.event({"event": "hello", "seed": int(os.environ["BENCH_SEED"]), **HELLO, **(fields or {})})

    def phase(self, fields: dict) -> None:
        begin_ns, self.marked_ns = self.marked_ns, time.monotonic_ns()
        self.event({"event": "phase", "begin_ns": begin_ns, "end_ns": self.marked_ns, **fields})

    def epoch(self, fields: dict) -> None:
        usual = {"steps": 5, "images": 20, "loss": 1.5, "correct": 10, "total": TEST_IMAGES, "view": "plain"}
        self.event({"event": "epoch", **usual, **fields})

    def done(self, fields: dict | None = None) -> None:
        self.event({"event": "done", "status": "done", **(fields or {})})

    def run(self, epochs: int, correct: int) -> None:
        if not self.hello_received:
            self.hello({"recipe": {**RECIPE, "epochs": epochs}})
        self.phase({"name": "import"})
        for number in range(1, epochs + 1):
            right = correct if number == epochs else min(correct, 10)
            self.phase({"name": "train_k", "epoch": number})
            self.predictions(right, TEST_IMAGES)
            self.phase({"name": "eval_k", "epoch": number})
            self.epoch({"epoch": number, "correct": right})
        self.done()

    def raw(self, text: str, times: int = 1) -> None:
        self.write(text.encode() * times)

    def bytes(self, digits: str) -> None:
        self.write(bytes.fromhex(digits))

    def predict(self, path: str, correct: int) -> None:
        with open(path, "rb") as stream:
            labels = stream.read()
        wrong = bytes((label + 1) % 10 for label in labels[correct:])
        self.write_predictions(labels[:correct] + wrong)

    def predictions(self, correct: int, total: int) -> None:
        self.write_predictions(b"\0" * correct + b"\1" * (total - correct))

    def write_predictions(self, classes: bytes) -> None:
        path = os.path.join(os.path.dirname(events()), "predictions.u8")
        with open(path, "wb") as stream:
            stream.write(classes)

    def print(self, text: str) -> None:
        print(text)

    def tell(self, name: str) -> None:
        print(f"{name} is {os.environ.get(name)!r}")

    def sleep(self, seconds: float = 1e6) -> None:
        time.sleep(seconds)

    def exit(self, code: int) -> None:
        sys.exit(code)

    def signal(self, number: int) -> None:
        os.kill(os.getpid(), number)

    def signal_parent(self, number: int) -> None:
        os.kill(os.getppid(), number)

    def close(self) -> None:
        self.stream.close()

    def touch(self, path: str) -> None:
        with open(path + ".part", "w") as stream:
            stream.write(str(os.getpid()))
        os.replace(path + ".part", path)

    def ignore_sigterm(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def fork(self, path: str) -> None:
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.touch(path)
            time.sleep(1e6)
        self.wait(path)

    def daemon(self, path: str) -> None:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                self.touch(path)
                os.execve(sys.executable, ["python", "-I", "-S", "-c", "import time; time.sleep(1e6)"], {})
            os._exit(0)
        os.wait()
        self.wait(path)

    def tracker(self) -> None:
        reader, self.held_open = os.pipe()
        if os.fork() == 0:
            os.close(self.held_open)
            os.read(reader, 1)  # nobody writes: this returns when the trainer is gone
            os._exit(0)

    def wait(self, path: str) -> None:
        while not os.path.exists(path):
            time.sleep(0.002)

    def ticks(self, count: int) -> None:
        path = os.path.join(os.path.dirname(events()), "telemetry.csv")
        while count and self.rows_since_mark(path) < count:
            time.sleep(0.002)

    def rows_since_mark(self, path: str) -> int:
        with open(path) as stream:
            _, *rows = (line for line in stream if line.endswith("\n"))
        return sum(int(row.partition(",")[0]) > self.marked_ns for row in rows)


if __name__ == "__main__":
    scripted = Scripted()
    script = sys.argv[1]
    if not script.startswith("["):
        with open(script) as stream:
            script = stream.read()
    for name, *arguments in json.loads(script):
        getattr(scripted, name)(*arguments)
