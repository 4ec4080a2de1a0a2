# SPDX-License-Identifier: Apache-2.0
# The front door: one verb a line. The work is in packaging/, tests/ and meson.build.
#   make            debug build: build/sallyport         make test [T=name]    lint, unit, fuzz corpora, integration
#   make release    build/release/sallyport, hardened    make fuzz T=name      one fuzz target for SECONDS (60)
#   make demo       a running example to try with curl   make lint | make fmt  the house rules | clang-format
#   make bench [T=row]  what it costs, beside HAProxy, nginx and hitch; ENGINE=native or openssl speaks TLS in Sallyport;
#                       T=engine the TLS engines beside each other, T=signer what the signer costs; QUICK=1 for a look
#   make soak [T=name]   that nothing is lost, at length; SOAK_GIB=10 through one listener (2), SOAK_HANDSHAKES=1e5 (1e6), SOAK_MINUTES=10 (1)
#   make interop [T=name]  programs of others, a browser among them (docs/interoperability.md)
#   make install    the release build; DESTDIR counts
SECONDS = 60

.PHONY: debug release demo test bench soak interop fuzz lint fmt install
debug:   ; @packaging/build debug sallyport
release: ; @packaging/build release sallyport
demo:    ; @packaging/packages build demo && packaging/build debug sallyport && build/sallyport demo
test:    ; @packaging/packages build test && tests/run "$(T)"
bench:   ; @packaging/packages build bench && bench/run "$(T)"
soak:    ; @packaging/packages build test && tests/soak/run "$(T)"
interop: ; @packaging/packages build test interop && tests/interop/run "$(T)"
fuzz:    ; @packaging/packages build test && tests/fuzz/run "$(T)" "$(SECONDS)"
lint:    ; @packaging/packages build test && tests/lint/run
fmt:     ; @packaging/packages build test && tests/lint/format.py --write
install: ; @packaging/build release sallyport && meson install -C build/release --no-rebuild
