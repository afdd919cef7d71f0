/** The two shell scripts that bring a guest from the kernel to the agent. `/init` runs in the initramfs with busybox only and
 *  puts a memory-backed overlay over the read-only root; `/run/th/init` is PID 1 from then on. */

/** In the order they are inserted. */
export const KERNEL_MODULES = [
  "virtio_ring",
  "virtio",
  "virtio_mmio",
  "virtio_pci_modern_dev",
  "virtio_pci_legacy_dev",
  "virtio_pci",
  "virtio_blk",
  "virtio_console",
  "virtio-rng",
  "overlay",
];

export const BUSYBOX_APPLETS = ["sh", "mount", "insmod", "switch_root", "mkdir", "cp", "ip", "echo", "sleep"];

export const INITRAMFS_INIT = `#!/bin/sh
die() { echo "guest init: $1 failed"; echo o > /proc/sysrq-trigger; while :; do sleep 1; done; }
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys
for module in ${KERNEL_MODULES.join(" ")}; do [ -f /modules/$module.ko ] && insmod /modules/$module.ko; done
mount -t ext4 -o ro,noatime /dev/vda /lower || die "mount of the root"
mount -t tmpfs -o size=75% tmpfs /upper; mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root || die overlay
mount --move /proc /root/proc; mount --move /sys /root/sys; mount --move /dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm /root/run/th /root/workspace
mount -t devpts devpts /root/dev/pts; mount -t tmpfs tmpfs /root/dev/shm
cp /payload/* /root/run/th/
ip link set lo up
exec switch_root /root /run/th/init
`;

/** No resolver, no route: names and packets have nowhere to go. When the agent ends, so does the machine. */
export const GUEST_INIT = `#!/bin/sh
echo "nameserver 127.0.0.1" > /etc/resolv.conf
echo operator > /etc/hostname; echo operator > /proc/sys/kernel/hostname
echo "127.0.0.1 localhost operator" > /etc/hosts
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root UV_THREADPOOL_SIZE=16
cd /
node --max-semi-space-size=1 /run/th/guest.mjs
echo "guest agent ended with $?"
echo o > /proc/sysrq-trigger
while :; do sleep 1; done
`;
