# The commands of this repository. `make` alone prints them. GNU make 3.81 or later and a POSIX shell are enough.

.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:

#: SET            what `make ablate` compares: author, ladder, or your own .json file
#: A              what side A of `make ab` has of its own, 'PRECISION=fp16'; of `make compare`, and of B, a folder
#: B              the same of side B
#: TRAINER        a trainer of your own, 'python train.py ...', instead of the built-in one
#: TARGET         the accuracy in per cent that TRAINER is to reach
#: RECIPE         a name that `.venv/bin/python -m resnet9 recipes` lists, or FILE.json:TABLE of your own
#: SEEDS          how many (SEEDS=5), or which (SEEDS=0,3)
#: DATA           CIFAR-10: an archive, a folder (also torchvision's, Keras's, the hub's Parquet), or an https:// mirror
#: INPUT          host (tf.data on CPU cores), device (augmented on the device), or memory, a control without a result
#: PRECISION      auto, bf16, fp16 or fp32
#: DEVICE         auto, cpu, gpu, or the UUID of one GPU
#: WARMUP         discarded runs before the first seed, 1 unless told; 0 for none
#: IDLE           seconds of rest between two runs, 0 unless told
#: CACHE          CUDA's compiled kernels: kept from run to run, or cold, none at each
#: TELEMETRY      on, or off: sample GPU and host while a run lasts
#: WATCH          the GPU to sample: auto (the one that trains), none, an index or a UUID
#: WHERE          container (a pinned image) or native; unless told: container where GPU, engine and toolkit are there
#: IMAGE          the image of WHERE=container: of `make images`, or any reference; unless told: the first that fits
#: DOCKER         the container engine: docker, podman, or a path
#: DOCKER_FLAGS   words to add to `docker run`, as '--cpuset-cpus=0-7'; they are recorded
#: BASE_IMAGE     what `make image` builds on, instead of the pinned base
#: DOCKER_BUILD_FLAGS  words to add to `docker build`, for `make image`
#: OUT            the campaign's folder, to write or to report on
#: AUTHOR         with EMAIL and HARDWARE: who publishes the DAWNBench pair
#: EMAIL          address of the author
#: HARDWARE       the machine in words, such as "1 x V100, 8 vCPU, 61 GB"
#: COST_PER_HOUR  what the machine costs, in US dollars
#: CODE_URL       where the code of the result can be read
#: PYTHON         the Python that makes .venv: 3.11 to 3.14, with TensorFlow in it to 3.13
VARIABLES := SET A B TRAINER TARGET RECIPE SEEDS DATA INPUT PRECISION DEVICE WARMUP IDLE CACHE TELEMETRY WATCH \
	WHERE IMAGE DOCKER DOCKER_FLAGS BASE_IMAGE DOCKER_BUILD_FLAGS OUT AUTHOR EMAIL HARDWARE COST_PER_HOUR CODE_URL

# A variable nobody reads would cost a campaign: SEED=3 must not run five seeds.
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(filter-out $(VARIABLES) PYTHON UPGRADE,$(given))
ifneq ($(unknown),)
$(error there is no variable $(unknown); `make help` lists them: $(VARIABLES))
endif

# Nor must results be read as those of a trainer that no command has started.
own := $(filter TRAINER TARGET,$(given))
ifneq ($(and $(own),$(filter-out bench check-trainer,$(MAKECMDGOALS))),)
$(error $(own): a trainer of your own is started by `make bench` and `make check-trainer` alone; leave it out here)
endif

# Whoever names a Python gets that one, or a sentence; the default may give way to another one on PATH.
PYTHON ?= python3
EXACT := $(if $(filter file,$(origin PYTHON)),,--exact)

# Values travel in the environment, as they were typed: neither make nor the shell expands a `$` in a name or a price.
$(foreach name,$(VARIABLES) PYTHON,$(if $(filter undefined,$(origin $(name))),,$(eval override $(name) := $$(value $(name)))))
export $(VARIABLES) PYTHON
# The environment is locked; modules set up for other Pythons stay out of it. So do variables with which `python -m` finds
# no module of this checkout (PYTHONSAFEPATH), exits with another code (PYTHONINSPECT), or runs other code.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONEXECUTABLE PYTHONINSPECT PYTHONOPTIMIZE \
	PYTHONWARNINGS

RUN := .venv/bin/python
SET_UP = @command -v "$$PYTHON" >/dev/null 2>&1 || { \
	echo "There is no $$PYTHON here: install Python 3.11 to 3.14, or name one with PYTHON=/path/to/python." >&2; exit 4; }; \
	"$$PYTHON" requirements/install.py $(EXACT)

.PHONY: help
help: ## print this
	@echo 'make COMMAND [VARIABLE=value ...]'
	@echo
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@sed -n 's/^#: /  /p' Makefile

.PHONY: bench
bench: runtime ## set up and run a campaign: resnet9 on a GPU, else smoke; continues an unfinished one
	@$(RUN) -m bench run

.PHONY: smoke
smoke: runtime ## a short campaign on built-in data: does everything work before paid seeds?
	@$(RUN) -m bench run --smoke

.PHONY: ablate
ablate: runtime ## what does each choice buy? the variants of SET in turn; without SET: the sets
	@$(RUN) -m bench ablate

.PHONY: stalls
stalls: runtime ## does the GPU or the net wait for the input? runs with it and without; continues an unfinished one
	@$(RUN) -m bench stalls

.PHONY: images
images: harness ## list the pinned images: what each is for, and what is only expected of it
	@$(RUN) -m bench image list

.PHONY: image
image: harness ## build an image: IMAGE=portable (unless told), cpu or all-in-one
	@$(RUN) -m bench image build

.PHONY: shell
shell: harness ## a shell in the container that a run would be made in
	@$(RUN) -m bench image shell

.PHONY: verify-image
verify-image: harness ## try the image that a run would be made in on this GPU, and write down what was found
	@$(RUN) -m bench image verify

.PHONY: check-trainer
check-trainer: harness ## does TRAINER keep the contract of docs/reference/protocol.md? rule by rule
	@$(RUN) -m bench check-trainer

.PHONY: doctor
doctor: runtime ## say whether this machine can give a clean result, and what to change
	@$(RUN) -m bench doctor

.PHONY: data
data: harness ## download and verify CIFAR-10, or check the copy that DATA names
	@$(RUN) -m bench data

.PHONY: report
report: harness ## rebuild every table of a campaign from its records: of OUT, else of the newest
	@$(RUN) -m bench report

.PHONY: published
published: harness ## rebuild every table and record under results/published, after a change to what they hold
	@for each in $$(find results/published -name campaign.json -o -name ab.json -o -name ablation.json -o -name stalls.json); do \
		$(RUN) -m bench report "$$(dirname "$$each")" > /dev/null || exit; done

.PHONY: compare
compare: harness ## compare the campaigns in folders A and B: what differs, and is one slower?
	@[ -n "$$A" ] && [ -n "$$B" ] || { echo 'two folders are compared: make compare A=results/... B=results/...' >&2; exit 2; }
	@$(RUN) -m bench compare "$$A" "$$B"

.PHONY: ab
ab: runtime ## run settings A and B in turn, A B B A ..., and say whether one of them trains faster
	@$(RUN) -m bench ab

.PHONY: rank
rank: harness ## where a campaign would have stood on DAWNBench's board: of OUT, else of the newest
	@$(RUN) -m bench rank

.PHONY: parquet
parquet: ## add to .venv what DATA= of Parquet files and `bench report --format parquet` need
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
test: tools ## set up and pass the tests, in minutes
	@$(RUN) -m pytest -m "not slow and not deep"

.PHONY: test-slow
test-slow: tools ## whole campaigns and real trainings
	@$(RUN) -m pytest -m slow

.PHONY: test-deep
test-deep: tools ## long searches and statistics
	@$(RUN) -m pytest -m deep

.PHONY: lint
lint: tools ## style, types and the rules of who may import whom
	@$(RUN) -m ruff check
	@.venv/bin/hadolint docker/Dockerfile
	@$(RUN) -m ruff format --check --quiet || { echo 'type: $(RUN) -m ruff format' >&2; exit 1; }
	@$(RUN) -m mypy bench
	@$(RUN) -m mypy --python-version 3.10 resnet9 requirements/install.py requirements/environment.py requirements/pythons.py
	@$(RUN) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

.PHONY: perf
perf: native ## measure speed beside PyTorch: of the recipes RECIPE=page24,air-clean names
	@$(RUN) -m tests.perf.run

.PHONY: perf-gpu
perf-gpu: native ## the same of page24, air94 and hive on an NVIDIA GPU, with the card's own matrix rate
	@$(RUN) -m tests.perf.gpu

.PHONY: perf-sampler
perf-sampler: native ## what the sampler costs: runs with it and without, in pairs
	@$(RUN) -m tests.perf.sampler

.PHONY: perf-container
perf-container: native ## what a container costs: runs in one and natively, in pairs
	@$(RUN) -m tests.perf.container

.PHONY: perf-report
perf-report: harness ## how long many records take to become tables: 100, 1,000 and 10,000 of them
	@$(RUN) -m tests.perf.report

.PHONY: lock
lock: ## resolve requirements/*.in into the lock files; UPGRADE=1 takes newer versions
	@command -v uv >/dev/null 2>&1 || { echo 'make lock needs uv: pip install uv' >&2; exit 4; }
	@"$$PYTHON" requirements/lock.py $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove .venv and caches, of compiled kernels too; results/ and data/ stay
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
