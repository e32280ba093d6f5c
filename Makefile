# The commands of this repository. `make` alone prints them. GNU make 3.81 or later and a POSIX shell are enough.

.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:

#: SET            the set of `make ablate`: author, ladder, epochs, or a .json file
#: A              side A: of `make ab` its settings, 'PRECISION=fp16'; of `make compare` a campaign's folder
#: B              side B, the same
#: TRAINER        the command of a custom trainer, 'python train.py ...'; default: the built-in trainer
#: TARGET         the accuracy in percent that TRAINER must reach; default: 94
#: RECIPE         a name of `.venv/bin/python -m resnet9 recipes`, or FILE.json:TABLE; default: resnet9 (CPU: smoke)
#: SEEDS          how many seeds (SEEDS=5), or which (SEEDS=0,3); default: 5, of smoke 2
#: DATA           CIFAR-10: an archive, a folder (also torchvision's, Keras's, the hub's Parquet), or an https:// mirror
#: INPUT          host (tf.data on CPU cores), device (augmented on the device), or memory (a control, never a result)
#: PRECISION      auto, bf16, fp16 or fp32; default: auto
#: DEVICE         auto, cpu, gpu, or the index or UUID of a GPU; default: auto
#: WARMUP         discarded runs before the first seed; default: 1; 0 disables
#: IDLE           seconds of rest between two runs; default: 0 (5 for `make ab` on a GPU)
#: CACHE          CUDA's compiled kernels: kept between runs, or cold (empty for each run); default: kept
#: TELEMETRY      on or off: sample GPU and host during a run; default: on
#: WATCH          the GPU to sample: auto (the one that trains), none, an index or a UUID; default: auto
#: WHERE          container (a pinned image) or native; default: container if GPU, engine and toolkit are there
#: IMAGE          the image of WHERE=container: a name of `make images` or any reference; default: the first that fits
#: DOCKER         the container engine: docker, podman or a path; default: docker, else podman
#: DOCKER_FLAGS   flags to add to `docker run`, such as '--cpuset-cpus=0-7'; they are recorded
#: BASE_IMAGE     the base of `make image`; default: the pinned base
#: DOCKER_BUILD_FLAGS  flags to add to `docker build` in `make image`
#: OUT            the campaign's folder, to write or to report on; default: a new one, or the newest
#: AUTHOR         the author of the DAWNBench pair, with EMAIL and HARDWARE
#: EMAIL          the author's e-mail address, which is published
#: HARDWARE       the machine in words, such as "1 x V100, 8 vCPU, 61 GB"
#: COST_PER_HOUR  the price of the whole machine per hour, on demand, in US dollars
#: CODE_URL       where the code of the result is published
#: PYTHON         the Python for .venv: 3.11 to 3.14, or to 3.13 with TensorFlow; default: python3
VARIABLES := SET A B TRAINER TARGET RECIPE SEEDS DATA INPUT PRECISION DEVICE WARMUP IDLE CACHE TELEMETRY WATCH \
	WHERE IMAGE DOCKER DOCKER_FLAGS BASE_IMAGE DOCKER_BUILD_FLAGS OUT AUTHOR EMAIL HARDWARE COST_PER_HOUR CODE_URL

# An unknown variable is an error: SEED=3 must not run five seeds.
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(filter-out $(VARIABLES) PYTHON UPGRADE,$(given))
ifneq ($(unknown),)
$(error there is no variable $(unknown); `make help` lists them: $(VARIABLES))
endif

# TRAINER with a target that does not start it is an error, so that no result is mistaken for the trainer's.
own := $(filter TRAINER TARGET,$(given))
ifneq ($(and $(own),$(filter-out bench check-trainer,$(MAKECMDGOALS))),)
$(error $(own): a custom trainer is started by `make bench` and `make check-trainer` alone; leave it out here)
endif

# A Python that is named is used, or refused with a message; the default may be replaced by another one on PATH.
PYTHON ?= python3
EXACT := $(if $(filter file,$(origin PYTHON)),,--exact)

# Values are passed in the environment as typed: neither make nor the shell expands a `$` in a name or a price.
$(foreach name,$(VARIABLES) PYTHON,$(if $(filter undefined,$(origin $(name))),,$(eval override $(name) := $$(value $(name)))))
export $(VARIABLES) PYTHON
# The environment is locked: modules set up for other Pythons are kept out of it, and so are variables with which
# `python -m` does not find this checkout (PYTHONSAFEPATH), exits with another code (PYTHONINSPECT), or runs other code.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONEXECUTABLE PYTHONINSPECT PYTHONOPTIMIZE \
	PYTHONWARNINGS

RUN := .venv/bin/python
# One pytest process per core. An idle one takes tests from the end of another's queue, so most modules stay in one process,
# which makes their fixtures once. Bytecode is kept even where an image disables it: many tests start Python again.
PARALLEL := -n auto --maxprocesses 8 --dist worksteal
PYTEST := PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest
SET_UP = @command -v "$$PYTHON" >/dev/null 2>&1 || { \
	echo "There is no $$PYTHON here: install Python 3.11 to 3.14, or pass one with PYTHON=/path/to/python." >&2; exit 4; }; \
	"$$PYTHON" requirements/install.py $(EXACT)

.PHONY: help
help: ## print this help
	@echo 'make COMMAND [VARIABLE=value ...]'
	@echo
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@sed -n 's/^#: /  /p' Makefile

.PHONY: bench
bench: runtime ## set up and run a campaign: resnet9 on a GPU, else smoke; continues an unfinished one
	@$(RUN) -m bench run

.PHONY: smoke
smoke: runtime ## run a short campaign on a synthetic dataset, to check everything before you pay for seeds
	@$(RUN) -m bench run --smoke

.PHONY: ablate
ablate: runtime ## measure what each technique buys: the variants of SET, interleaved; without SET: list the sets
	@$(RUN) -m bench ablate

.PHONY: stalls
stalls: runtime ## measure whether training waits for its input, and what that costs
	@$(RUN) -m bench stalls

.PHONY: images
images: harness ## list the pinned images, and what is known of each
	@$(RUN) -m bench image list

.PHONY: image
image: harness ## build an image: IMAGE=portable (default), cpu or all-in-one
	@$(RUN) -m bench image build

.PHONY: shell
shell: harness ## open a shell in the container that a run would use
	@$(RUN) -m bench image shell

.PHONY: verify-image
verify-image: harness ## test on this GPU the image that a run would use, and record the findings
	@$(RUN) -m bench image verify

.PHONY: check-trainer
check-trainer: harness ## check TRAINER against docs/reference/protocol.md, rule by rule
	@$(RUN) -m bench check-trainer

.PHONY: doctor
doctor: runtime ## check whether this machine can give a clean result, and what to change
	@$(RUN) -m bench doctor

.PHONY: data
data: harness ## download and verify CIFAR-10, or check the copy in DATA
	@$(RUN) -m bench data

.PHONY: report
report: harness ## rebuild the tables and the page of a campaign from its records: OUT, default: the newest
	@$(RUN) -m bench report

.PHONY: published
published: harness ## rebuild all tables and records under results/published, after a change to their columns
	@for each in $$(find results/published -name campaign.json -o -name ab.json -o -name ablation.json -o -name stalls.json); do \
		$(RUN) -m bench report "$$(dirname "$$each")" > /dev/null || exit; done

.PHONY: compare
compare: harness ## compare the campaigns in folders A and B: what differs, and whether one is slower
	@[ -n "$$A" ] && [ -n "$$B" ] || { echo 'two folders are compared: make compare A=results/... B=results/...' >&2; exit 2; }
	@$(RUN) -m bench compare "$$A" "$$B"

.PHONY: ab
ab: runtime ## run settings A and B interleaved, A B B A ..., and report whether one is faster
	@$(RUN) -m bench ab

.PHONY: rank
rank: harness ## place a campaign on DAWNBench's board: OUT, default: the newest
	@$(RUN) -m bench rank

.PHONY: parquet
parquet: ## install what Parquet files in DATA and `bench report --format parquet` need
	$(SET_UP) parquet

.PHONY: net
net: harness ## draw the network to docs/images/net.svg
	@mkdir -p docs/images
	@$(RUN) -m resnet9 net docs/images/net.svg

.PHONY: augmented
augmented: native ## draw augmented samples to docs/images/augmented.png
	@mkdir -p docs/images
	@$(RUN) -m resnet9 augmented docs/images/augmented.png

.PHONY: test
test: tools ## set up and run the fast tests, in minutes
	@$(PYTEST) $(PARALLEL) -m "not slow and not deep"

.PHONY: test-slow
test-slow: tools ## run whole campaigns and real trainings
	@$(PYTEST) -m slow

.PHONY: test-deep
test-deep: tools ## run long searches and statistics
	@$(PYTEST) -m deep

.PHONY: lint
lint: tools ## check style, types and import contracts
	@$(RUN) -m ruff check
	@.venv/bin/hadolint docker/Dockerfile
	@$(RUN) -m ruff format --check --quiet || { echo 'type: $(RUN) -m ruff format' >&2; exit 1; }
	@$(RUN) -m mypy bench
	@$(RUN) -m mypy --python-version 3.10 resnet9 requirements/install.py requirements/environment.py requirements/pythons.py
	@$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

.PHONY: perf
perf: native ## measure speed next to PyTorch, for the recipes in RECIPE=page24,air-clean
	@$(RUN) -m tests.perf.run

.PHONY: perf-gpu
perf-gpu: native ## the same for page24, air94 and hive on an NVIDIA GPU, with its matrix product rate
	@$(RUN) -m tests.perf.gpu

.PHONY: perf-sampler
perf-sampler: native ## measure the cost of the sampler: paired runs with and without it
	@$(RUN) -m tests.perf.sampler

.PHONY: perf-container
perf-container: native ## measure the cost of a container: paired runs in one and natively
	@$(RUN) -m tests.perf.container

.PHONY: perf-report
perf-report: harness ## measure how long 100, 1,000 and 10,000 records take to become tables
	@$(RUN) -m tests.perf.report

.PHONY: lock
lock: ## resolve requirements/*.in into the lock files; UPGRADE=1 upgrades
	@command -v uv >/dev/null 2>&1 || { echo 'make lock needs uv: pip install uv' >&2; exit 4; }
	@"$$PYTHON" requirements/lock.py $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove .venv and caches, including compiled kernels; results/ and data/ stay
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find bench resnet9 requirements tests -type d -name __pycache__ -prune -exec rm -rf {} +

.PHONY: runtime
runtime:
	$(SET_UP) runtime

.PHONY: native
native:
	$(SET_UP) native

.PHONY: harness
harness:
	$(SET_UP) harness

.PHONY: tools
tools:
	$(SET_UP) dev
