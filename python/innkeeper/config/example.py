"""One whole commented example: every key with its meaning, unit and default."""

from __future__ import annotations

CONFIG_EXAMPLE = """\
# innkeeper's configuration. Every key is shown with its default; a line that begins with "#" and a
# key is a default or an example to uncomment.
#
# Read from --config, else $INNKEEPER_CONFIG, else /etc/innkeeper/innkeeper.toml if that exists.
# A variable overrides a key: INNKEEPER_RESERVED__MEMORY_MIB=1024 is memory_mib of [reserved].
# A variable's value is text where the key is text, else TOML: INNKEEPER_ACCESS__ADMINS='["ops"]'.
# Unknown keys are refused. SIGHUP makes the daemon read it again.

# The node's name in claims, events and answers. Not set: the host name.
# node = "compute-07"

# Held back for the host itself, never handed out. More than the host has counts as all of it.
[reserved]
# vcpus = 0              # CPUs
# memory_mib = 512       # MiB of ordinary memory; preallocated hugepages are not part of it
# disk_mib = 0           # MiB of the file system of disk.path
# Of single cells: preallocated hugepages by size, such as 2048 or 1048576 KiB, and ordinary memory. Memory of
# cells is part of memory_mib; where it is more together, it counts.
# [[reserved.pages]]
# cell = 0
# size_kib = 1048576
# count = 2
# [[reserved.cells]]
# cell = 0
# memory_mib = 1024

# CPUs for instances, such as "2-15,^8". Neither set: all that are online and not isolated are shared. With
# either set, CPUs that neither names are the host's own, and [reserved] vcpus has to be 0.
[cpus]
# shared = "2-7"        # vCPUs float over them; times ratios.vcpus
# dedicated = "8-15"    # each is one vCPU's alone; may be isolated from the kernel (isolcpus); never shared too

# How the host's cells are taken by instances that have NUMA cells of their own.
[placement]
# cells = "spread"   # the emptiest first; pack: the fullest

# Allocation ratios: capacity = (total - reserved) x ratio. Above 1.0 the host is overcommitted.
# From 0.000001 to 1000000; six decimals count.
[ratios]
# vcpus = 1.0
# memory = 1.0
# disk = 1.0

# Which file system the disks of instances live on.
[disk]
# path = "/var/lib/instances"   # Not set: the state directory.

# How long claims wait; seconds, from 0.01 to 2592000 (30 days).
[claims]
# pending_timeout = 600.0    # a claim that nobody confirms lapses after this
# max_wait = 3600.0          # longest that a caller may wait for room
# max_waiting = 1024         # callers that may wait for room at once, from 0 to 100000
# tombstone_keep = 86400.0   # how long an ended claim's id is remembered

# The periodic comparison of ledger, store and host.
[audit]
# interval = 60.0          # seconds between two audits of what changed
# full_interval = 3600.0   # seconds between two audits of everything
# policy = {}              # by kind of finding: report, repair or ignore, such as { placement_differs = "repair" }

# Where claims are kept. Not set: in a database of the daemon's own, in the state directory.
[store]
# url = "postgresql://innkeeper:secret@db.example:5432/innkeeper"   # or mariadb://; see `innkeeper store init`

# History: what happened to which claim, when, and who did it.
[events]
# keep = 2592000.0    # seconds; that of a claim that lives stays as long as it does
# max_watchers = 64   # who may follow it at once, from 0 to 10000

# What the hypervisor needs for each instance beside what the guest gets.
[overhead]
# memory_mib = 0
# memory_mib_per_vcpu = 0
# disk_mib = 0

# The record that says that this service is there, where Nova's tables are kept.
[service]
# report_interval = 10.0   # seconds between two heartbeats
# host = "host-1"          # of a service with several nodes; not set: the node's name

# Who may do what, by name of user or group of the peer on the socket; "*" is everybody who can open it.
# root and the daemon's own user are always admins.
[access]
# admins = []        # everything
# operators = []     # claim, confirm, release, audit
# readers = ["*"]    # look, and ask what fits

# Nova's tables (compute_nodes, instances, pci_devices, ...) beside ours, and its own words for devices.
[nova]
# tables = "none"        # embedded: kept in the daemon's own database, in the same transaction as the claims
# release = "2026.2"     # the oldest release of Nova that reads the rows, such as liberty
# device_spec = []       # as Nova's [pci]device_spec, such as ['{"vendor_id": "8086"}']; after [[devices]]
# alias = []             # as Nova's [pci]alias; after [[aliases]]

# The libvirt that runs the instances of this host: asked which there are, and never told anything. Wants
# libvirt-python (innkeeper[libvirt]); a read-only connection is enough.
[libvirt]
# uri = "qemu:///system"   # not set: no libvirt is asked
# observe = false          # true: it is asked for CPUs, cells and devices of the host, too

# The structured log on stderr.
[log]
# level = "info"    # debug, info, warning or error
# format = "auto"   # console, json, or auto: console on a terminal, else json

# PCI functions that may be handed out. Without an entry none is; in use by the host, or a bridge, never.
# Every key of an entry that is given must match, so an entry without keys admits every function; the first
# entry that matches counts. An entry that names a PF, by address or devname, admits its VFs too.
# [[devices]]
# vendor_id = "8086"               # hex digits
# product_id = "1889"
# address = "0000:41:01.*"         # domain:bus:slot.function, "*" is any; or regexes: { bus = "4[0-3]" }
# physical_network = "physnet0"    # this and the next four are tags, which requests ask for
# trusted = true
# remote_managed = false           # true: only functions with a serial number
# managed = true
# live_migratable = false
# one_time_use = false             # true: stays dirty after its holder until an operator lifts it
# resource_class = "CUSTOM_NIC"    # for Placement; not matched
# traits = []                      # likewise, such as ["CUSTOM_FAST"]
# tags = { tier = "gold" }         # your own
# clean = []                       # after a holder, such as ["/usr/sbin/wipe"]; dirty until it succeeds
# clean_timeout = 600.0            # seconds, from 0.01 to 2592000 (30 days)
# By network device instead of address:
# [[devices]]
# devname = "ens1f0"

# Names for devices, asked for as NAME=COUNT. The same name again is an alternative.
# [[aliases]]
# name = "card"
# vendor_id = "10de"           # four hex digits
# product_id = "2236"
# device_type = "pf"           # pci, pf or vf; not set: any, but a PF only when it is named
# numa_policy = "legacy"       # required, legacy, preferred or socket
# live_migratable = true       # not set: either
# tags = { tier = "gold" }     # that the [[devices]] entry gave it
# A unit is several functions that are taken and given back as one; without members all of its place:
# [[aliases]]
# name = "pair"
# unit = "slot"                # slot, switch or iommu_group; not set: single devices
# [[aliases.members]]
# vendor_id = "10de"
# product_id = "2236"
# device_type = "pci"
# tags = { tier = "gold" }
# count = 1

# Amounts of your own that are booked like memory, such as slots, SEV ASIDs or vsock ids.
# [[counters]]
# name = "sev_asids"   # a-z, then a-z 0-9 _ . -
# total = 509
# reserved = 0
# ratio = 1.0
"""
