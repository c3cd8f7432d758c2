# `make help` lists the targets and says which of them need root.

PREFIX ?= /usr/local
DESTDIR ?=
SHARE = $(DESTDIR)$(PREFIX)/share
# Debian's packages put it elsewhere.
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/site-functions
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
DIST ?= dist
PYTHON = /usr/bin/python3
PYTEST = $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider
# On all CPUs, where python3-pytest-xdist is installed; one more works while another waits.
PARALLEL = $(shell $(PYTHON) -c 'import os, xdist; print("-n", os.cpu_count() + 1)' 2>/dev/null)
LAB = tests/lab/lab
# The files of all its folders, without those that Python compiled here.
PACKAGE = $(shell find lib/virt_exitstat -name __pycache__ -prune -o -type f -print)

help:               ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo:               ## (root) boot a real KVM host in an emulator and show the tool on its domains
	@echo "demo: 1/2 installing what the lab needs (a minute on a fresh machine, else a second)"
	@tests/setup demo
	@echo "demo: 2/2 booting the lab (about 80 s; the first time it builds its image, 90 s more)"
	@$(LAB) run --timeout 240 tests/lab/inside/demo

test:               ## (root) install what the tests need and run all of them
	@echo "test: 1/8 installing what the tests need (two minutes on a fresh machine, else a second)"
	@tests/setup test
	@echo "test: 2/8 unit and command-line tests (30 s)"
	@tests/in_memory $(PYTEST) $(PARALLEL) tests/unit tests/cli
	@echo "test: 3/8 comparisons of thousands of simulated runs (25 s)"
	@$(PYTEST) $(PARALLEL) tests/simulations
	@echo "test: 4/8 real domains and shells on this machine (45 s)"
	@$(PYTEST) -rs tests/host
	@echo "test: 5/8 rules, dashboard and queries on a real Prometheus; the service's units (25 s)"
	@CI=1 $(PYTEST) tests/monitoring
	@echo "test: 6/8 installing: make, wheel, Debian package (55 s; the first time it makes two clean roots, 90 s more)"
	@$(PYTEST) -rs tests/install
	@echo "test: 7/8 the lab on SVM with instructions counted: times beside perf's (1 min; the first time it builds its image, 2 min more)"
	@$(LAB) run --bare --icount --timeout 600 tests/lab/times_beside_perf
	@echo "test: 8/8 the lab, a real KVM host: on one CPU AMD's SVM, on the other Intel's VMX, then the exporter under systemd (15 min)"
	@mkdir -p build; \
	{ $(LAB) --machine vmx run --timeout 1800 tests/lab/acceptance raw && \
	$(LAB) run --systemd --timeout 900 tests/lab/inside/units; } >build/other-cpu.log 2>&1 & other=$$!; \
	$(LAB) run --timeout 1800 sh -c 'tests/lab/acceptance && $(PYTEST) tests/lab'; svm=$$?; \
	echo "test: 8/8 what VMX and systemd said"; \
	wait $$other; other=$$?; cat build/other-cpu.log; \
	[ $$svm = 0 ] && [ $$other = 0 ]

test-matrix:        ## (root) unit tests, acceptance on each ISA, units, on every Debian release; prints tables (85 min)
	@tests/setup test
	@tests/lab/matrix

quick:              ## unit and command-line tests only; needs no root
	@tests/in_memory $(PYTEST) $(PARALLEL) tests/unit tests/cli

bench:              ## (root) what counting costs on AMD and Intel, beside its peers; prints, never fails (20 min)
	@tests/setup demo
	-@$(LAB) run --bare --icount --timeout 900 tests/bench/all exit_cost hit_and_miss
	-@$(LAB) --release trixie run --bare --icount --timeout 900 tests/bench/all exit_cost
	-@$(LAB) --release trixie --machine vmx run --bare --timeout 1500 tests/bench/all exit_cost:attached,program,exitstat
	-@$(LAB) run --bare --timeout 900 tests/bench/all reading
	-@PYTHONPATH=lib $(PYTHON) tests/bench/details.py
	-@$(PYTHON) tests/bench/scrape.py

soak:               ## (root) the exporter for half an hour in the lab: is it exact to the end, and no larger? (40 min)
	@tests/setup demo
	@$(LAB) run --timeout 3600 tests/lab/exporter_soak

test-install:       ## (root) make install, the wheel, and the package in clean Debian 12 and 13 (1 min)
	@tests/setup test
	@$(PYTEST) -rs tests/install

golden:             ## rewrite the golden files of the command-line tests; read the diff
	@$(PYTEST) tests/cli --rewrite-golden

docs:               ## rewrite what the man page and the README say from the program's data; read the diff
	@$(PYTHON) tools/made.py

install:            ## (root) install below PREFIX (default /usr/local), staged in DESTDIR
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin virt-exitstat
	rm -rf $(SHARE)/virt-exitstat
	for file in $(PACKAGE); do install -D -m 644 $$file $(SHARE)/virt-exitstat/$$file || exit; done
	install -D -m 644 -t $(SHARE)/virt-exitstat/bpf bpf/exitstat.bpf.c
	install -D -m 644 -t $(SHARE)/man/man8 man/virt-exitstat.8
	install -D -m 644 -t $(SHARE)/man/man7 man/virt-exitstat-advice.7
	install -D -m 644 -t $(SHARE)/bash-completion/completions completions/virt-exitstat
	$(if $(wildcard completions/_*),install -D -m 644 -t $(DESTDIR)$(ZSH_COMPLETIONS) completions/_*)
	$(if $(wildcard completions/*.fish),install -D -m 644 -t $(SHARE)/fish/vendor_completions.d completions/*.fish)

# Files $(1) into $(2), with the tool where PREFIX has it.
define install_units
	install -D -m 644 -t $(2) $(1)
	for file in $(1); do sed -i 's|=/usr/bin/|=$(PREFIX)/bin/|' $(2)/$${file##*/} || exit; done
endef

install-exporter:   ## (root) install the service for Prometheus, its user's description, rules and dashboard
	$(call install_units,systemd/*.service systemd/*.socket,$(UNITS))
	install -D -m 644 systemd/virt-exitstat.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/virt-exitstat.conf
	rm -rf $(SHARE)/virt-exitstat-exporter
	install -D -m 644 -t $(SHARE)/virt-exitstat-exporter monitoring/*.yml
	install -D -m 644 -t $(SHARE)/virt-exitstat-exporter/dashboards monitoring/dashboards/*
	$(call install_units,systemd/examples/*,$(SHARE)/virt-exitstat-exporter/examples)

uninstall:          ## (root) remove what install and install-exporter put there
	rm -rf $(SHARE)/virt-exitstat-exporter
	rm -f $(UNITS)/virt-exitstat.service $(UNITS)/virt-exitstat.socket \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d/virt-exitstat.conf
	rm -rf $(SHARE)/virt-exitstat
	rm -f $(DESTDIR)$(PREFIX)/bin/virt-exitstat $(SHARE)/man/man8/virt-exitstat.8 \
	    $(SHARE)/man/man7/virt-exitstat-advice.7 \
	    $(SHARE)/bash-completion/completions/virt-exitstat $(DESTDIR)$(ZSH_COMPLETIONS)/_virt-exitstat \
	    $(SHARE)/fish/vendor_completions.d/virt-exitstat.fish

deb:                ## build the Debian packages into dist/
	rm -rf build/deb
	install -d build/deb/source $(DIST)
	tar -c --exclude-vcs --exclude=./build --exclude=./dist --exclude='./.*' --exclude=__pycache__ . | tar -x -C build/deb/source
	cd build/deb/source && dpkg-buildpackage --build=binary --no-sign
	rm -f $(DIST)/virt-exitstat_*.deb $(DIST)/virt-exitstat-exporter_*.deb
	mv build/deb/*.deb $(DIST)/
	rm -rf build/deb

wheel:              ## build the wheel into dist/; needs no network
	rm -rf build/lib
	$(PYTHON) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(DIST) .

.PHONY: help demo test test-matrix soak test-install quick bench golden docs install install-exporter \
    uninstall deb wheel
