# `make help` lists what there is. What needs root says so.

PREFIX ?= /usr/local
DESTDIR ?=
PYTHON = /usr/bin/python3
PYTEST = $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider
LAB = tests/lab/lab

help:               ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo:               ## (root) boot a real KVM host in an emulator and show the tool on its domains
	@echo "demo: 1/2 installing what the lab needs (a minute on a fresh machine, else a second)"
	@tests/setup demo
	@echo "demo: 2/2 booting the lab (about 80 s; the first time it builds its image, 90 s more)"
	@$(LAB) run --timeout 240 tests/lab/inside/demo

test:               ## (root) install what the tests need and run all of them
	@echo "test: 1/5 installing what the tests need (two minutes on a fresh machine, else a second)"
	@tests/setup test
	@echo "test: 2/5 unit and command-line tests (10 s)"
	@$(PYTEST) tests/unit tests/cli
	@echo "test: 3/5 real domains on this machine (30 s)"
	@$(PYTEST) -rs tests/host
	@echo "test: 4/5 the lab on AMD's SVM: counting on a real KVM host (5 min; the first time it builds its image, 2 min more)"
	@$(LAB) run --timeout 600 sh -c 'tests/lab/acceptance && $(PYTEST) tests/lab'
	@echo "test: 5/5 the lab on Intel's VMX (7 min)"
	@$(LAB) --machine vmx run --timeout 1500 tests/lab/acceptance

test-matrix:        ## (root) the acceptance on every Debian release and both ISAs; prints a table (50 min)
	@tests/setup test
	@tests/lab/matrix

quick:              ## unit and command-line tests only; needs no root
	@$(PYTEST) tests/unit tests/cli

bench:              ## (root) what counting costs, beside its peers; prints, never fails (3 min)
	@tests/setup demo
	-@$(LAB) run --bare --icount --timeout 900 tests/bench/all exit_cost hit_and_miss
	-@$(LAB) run --bare --timeout 900 tests/bench/all reading

golden:             ## rewrite the golden files of the command-line tests; read the diff
	@$(PYTEST) tests/cli --rewrite-golden

install:            ## (root) install below PREFIX (default /usr/local), staged in DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/virt-exitstat/lib/virt_exitstat \
	    $(DESTDIR)$(PREFIX)/share/virt-exitstat/bpf $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 755 virt-exitstat $(DESTDIR)$(PREFIX)/bin/
	install -m 644 lib/virt_exitstat/*.py lib/virt_exitstat/*.json $(DESTDIR)$(PREFIX)/share/virt-exitstat/lib/virt_exitstat/
	install -m 644 bpf/exitstat.bpf.c $(DESTDIR)$(PREFIX)/share/virt-exitstat/bpf/
	install -m 644 completions/virt-exitstat $(DESTDIR)$(PREFIX)/share/bash-completion/completions/

uninstall:          ## (root) remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/virt-exitstat $(DESTDIR)$(PREFIX)/share/bash-completion/completions/virt-exitstat
	rm -rf $(DESTDIR)$(PREFIX)/share/virt-exitstat

.PHONY: help demo test test-matrix quick bench golden install uninstall
