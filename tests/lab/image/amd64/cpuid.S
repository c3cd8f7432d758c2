/* Firmware of the domain `cpuid`: exactly 23,000 CPUIDs from the reset vector on, then HLT for good.
 *
 * It stands in for SeaBIOS, so nothing else runs in the guest: the exits are 23,000 CPUID, one HLT, and the few page
 * faults and interrupts of the host that any guest takes. 64 KiB, mapped to end at 4 GiB; execution starts in real mode
 * 16 bytes below the end.
 */
	.code16
	.globl _start
_start:
	cli
	mov	$23000, %si
1:	xor	%eax, %eax
	xor	%ecx, %ecx
	cpuid
	dec	%si
	jnz	1b
2:	hlt
	jmp	2b

	.org	0xfff0
	jmp	_start
	.org	0x10000
