/* Firmware of the domain `hvc`: exactly 23,000 HVCs (PSCI_VERSION) from the reset vector on, then WFI for good.
 *
 * It stands in for UEFI, so nothing else runs in the guest: the exits are 23,000 HVC64, one WFX, and the few page faults
 * and interrupts of the host that any guest takes. It is the flash at address 0, where execution starts.
 */
	.globl _start
_start:
	mov	x19, #23000
1:	mov	w0, #0x84000000
	hvc	#0
	subs	x19, x19, #1
	b.ne	1b
2:	wfi
	b	2b

	.org	0x10000
