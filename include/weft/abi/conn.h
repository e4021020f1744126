/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table of connections: those that are translated, and those that policies have allowed. One record per connection holds both tuples; an index of
 * buckets leads from either tuple to it with one look-up. Both are plain arrays that the daemon
 * maps into its memory: listing, expiry and flushing cost no system call per entry. Programs and
 * daemon change them with atomic operations only; bpf/lib/conn.h states the protocol.
 */
#ifndef WEFT_ABI_CONN_H
#define WEFT_ABI_CONN_H

#include <weft/abi/types.h>

/* Where in the datapath a tuple is seen: the same addresses mean different things at each place. */
enum wf_site {
	WF_SITE_CONTAINER = 1, /* between a container and anybody */
	WF_SITE_EDGE = 2,      /* at an uplink of the host */
	WF_SITE_XDP = 3,       /* at an uplink, before the stack */
	WF_SITE_COUNT,
};

/*
 * One direction of a connection as a packet shows it. ICMP echo: a request has the identifier as
 * sport and dport 0, a reply the other way round. Protocols without ports have both 0.
 */
struct wf_tuple {
	struct wf_addr src;
	struct wf_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 site;   /* enum wf_site */
	__u16 scope; /* of both addresses; tuples are compared and hashed as bytes */
};

enum wf_dir {
	WF_DIR_ORIGINAL, /* as the first packet went */
	WF_DIR_REPLY,
	WF_DIR_COUNT,
};

/* Where a connection stands; says how long silence is allowed (wf_conn_timeouts). */
enum wf_conn_phase {
	WF_CONN_NEW,         /* nothing has come back yet */
	WF_CONN_ESTABLISHED, /* both directions seen; TCP: past the handshake */
	WF_CONN_CLOSING,     /* TCP: FIN seen both ways */
	WF_CONN_CLOSED,      /* TCP: reset, or cut */
	WF_CONN_PHASE_COUNT,
};

/* struct wf_conn.flags */
enum wf_conn_flag {
	WF_CONN_MASQUERADE = 1 << 0, /* the source is translated to the host's */
	WF_CONN_SERVICE = 1 << 1,    /* the destination was a service */
	WF_CONN_PUBLISHED = 1 << 2,  /* the destination was a published port */
	WF_CONN_HAIRPIN = 1 << 3,    /* client and backend are the same container, or the host */
	WF_CONN_HOST = 1 << 4,       /* the host's own, moved out of the way of a masqueraded one,
				    * or to a service's backend outside */
	WF_CONN_VIA_HOST = 1 << 5,   /* the destination was an address of the host: isolation of
				    * networks does not stand in the way */
	WF_CONN_SNAT = 1 << 6,       /* what goes on to the backend is masqueraded, too */
	WF_CONN_ROUTED = 1 << 7,     /* nothing is translated: who began it is remembered */
	WF_CONN_FIN_ORIGINAL = 1 << 8,
	WF_CONN_FIN_REPLY = 1 << 9,
	WF_CONN_DIRECT = 1 << 10, /* packets go on to the backend's node as they are, and its
				   * answers do not come by here */
	WF_CONN_POLICY = 1 << 11, /* nothing is translated: policies allowed whoever began it */
};

/* Ticks of the table: CLOCK_MONOTONIC (coarse) nanoseconds shifted right by this: 1.07 s. */
#define WF_CONN_TICK_SHIFT 30

/*
 * Lower bits of struct wf_conn.guard: who may do what with the record. The upper bits count its
 * lives, so that a reader who finds the same guard again has seen one life only.
 */
enum wf_conn_stand {
	WF_CONN_FREE = 0,    /* anybody may take it, by changing guard */
	WF_CONN_FORCE = 1,   /* in force: the only odd one */
	WF_CONN_HELD = 2,    /* whoever made it so fills or empties it */
	WF_CONN_PENDING = 4, /* complete, looking for rivals; not in force yet */
	WF_CONN_LIMBO = 6,   /* out of force and out of the index; may be taken after a grace */
};

#define WF_CONN_STAND 7u /* mask */
#define WF_CONN_LIFE  8u /* one life */

/* Ticks between the end of a record and its next use: no reader sleeps that long. */
#define WF_CONN_GRACE_TICKS 2

/* A record; index 0 is never used. bpf/lib/conn.h states who changes what when. */
struct wf_conn {
	struct wf_tuple tuple[WF_DIR_COUNT]; /* each as packets of that direction arrive */
	__u32 guard;                         /* life and enum wf_conn_stand */
	__u32 refs[WF_DIR_COUNT]; /* places in the index: bucket * WF_CONN_BUCKET_REFS + i */
	__u32 seen[WF_DIR_COUNT]; /* tick of the last packet, 0: none yet; limbo: [0] since when */
	__u32 created;            /* tick */
	__u32 backend;            /* index of wf_backends, 0: none */
	__u32 service;            /* number of the service port, 0: none */
	__u32 owner;              /* slot whose quota it counts against, WF_SLOT_HOST: outsiders */
	__u32 peer;               /* slot of the backend, WF_SLOT_HOST: not on this node */
	__u32 flags;              /* enum wf_conn_flag */
	__u32 phase;              /* enum wf_conn_phase */
};

/*
 * A bucket of the index. A reference is 0 when empty; otherwise bits 0-23 are the record, bit 24
 * the direction whose tuple leads here (or both do), bits 25-31 a tag: of the tuple's hash.
 */
#define WF_CONN_BUCKET_REFS 16
#define WF_CONN_REF_INDEX   0x00ffffff
#define WF_CONN_REF_DIR     24
#define WF_CONN_REF_TAG     25

struct wf_conn_bucket {
	__u32 refs[WF_CONN_BUCKET_REFS];
};

/*
 * Records per bucket of the index at full load: two references each at most, a quarter of the places
 * used, so that one bucket in a million runs over.
 */
#define WF_CONN_PER_BUCKET 2

#define WF_CONN_KEYS 10

/* How the index is laid out (conn_place.h). A table keeps the layout that it was made with. */
enum wf_conn_layout {
	WF_CONN_LAYOUT_LONE, /* every tuple by itself: of builds before there were runs */
	WF_CONN_LAYOUT_RUNS,
};

/*
 * Value of wf_conn_state (one entry, mapped by the daemon). What every packet reads and what every
 * new connection writes lie in different cache lines.
 */
struct wf_conn_state {
	__u32 max;                /* records: indices 1 to max - 1. Written once by the daemon */
	__u32 buckets;            /* power of two. Written once by the daemon */
	__u32 keys[WF_CONN_KEYS]; /* of the hash: random. Written once by the daemon */
	__u32 quota;              /* most records of one endpoint; 0: no limit */
	__u32 layout;             /* enum wf_conn_layout. Written once by the daemon */
	__u32 pad[2];
	__u32 timeout_s[WF_CONN_PHASE_COUNT][4]; /* by enum wf_conn_class */
	__u32 high;         /* records 1 to high - 1 were handed out once; may pass max a little */
	__u32 live;         /* records in force */
	__u32 failed_full;  /* new connections refused: no record */
	__u32 failed_quota; /* new connections refused: the endpoint has its share */
	__u32 failed_ports; /* new connections refused: no free port for that destination */
	__u32 failed_index; /* new connections refused: bucket full */
	__u32 wake_at; /* the daemon sleeps until so many are in force (WF_EVENT_WAKE); 0: awake */
	__u32 pad2[9];
};

/* Column of timeout_s. */
enum wf_conn_class {
	WF_CONN_CLASS_TCP,
	WF_CONN_CLASS_UDP,
	WF_CONN_CLASS_ICMP,
	WF_CONN_CLASS_OTHER, /* SCTP and all others */
	WF_CONN_CLASS_COUNT,
};

/* Value of wf_conn_owners, by slot: spares endpoints without connections any look-up. */
struct wf_conn_owner {
	__u32 owned;   /* records that count against the endpoint's quota */
	__u32 backing; /* translated records of WF_SITE_CONTAINER whose backend it is */
	__u32 calling; /* translated records of WF_SITE_CONTAINER whose client it is */
	__u32 pad;
};

/* Key of wf_fragments (LRU): the ports of a fragmented packet, from its first fragment. */
struct wf_fragment_key {
	struct wf_addr src;
	struct wf_addr dst;
	__be32 id;
	__u8 proto;
	__u8 site;
	__u16 scope;
};

struct wf_fragment_value {
	__be16 sport;
	__be16 dport;
	__u32 tick;
};

/* struct wf_held_place.state */
enum wf_held_state {
	WF_HELD_FREE,
	WF_HELD_BUSY, /* a program writes it or sends it on */
	WF_HELD_WAITS,
};

/* One place for a fragment that is here before the first one of its packet. */
struct wf_held_place {
	__u32 state;
	__u32 tick;    /* since when */
	__u32 ifindex; /* of the device that brought it: whose share of the places it is of */
	__u32 len;     /* of the frame */
};

/* Value of wf_held (one entry): which of wf_held_frames are taken. */
struct wf_held_value {
	__u32 tick; /* when the last one was taken; 0: never */
	__u32 pad;
	struct wf_held_place places[WF_MAX_HELD];
};

/* Value of wf_held_frames, by place. */
struct wf_held_frame {
	struct wf_fragment_key key;
	__u32 ifindex; /* where it goes on once the first one is here */
	__u32 flags;   /* of bpf_clone_redirect() */
	__u32 mark;
	__u32 l3; /* offset of the IP header */
	__u32 len;
	__u32 pad;
	__u8 bytes[WF_HELD_BYTES];
};

_Static_assert(sizeof(struct wf_tuple) == 40, "wf_tuple");
_Static_assert(WF_MAX_NETWORKS <= 1 << 16, "wf_tuple.scope");
_Static_assert(sizeof(struct wf_conn) == 128, "wf_conn");
_Static_assert(sizeof(struct wf_conn_bucket) == 64, "wf_conn_bucket");
_Static_assert(sizeof(struct wf_conn_state) == 192, "wf_conn_state");
_Static_assert(sizeof(struct wf_fragment_key) == 40, "wf_fragment_key");
_Static_assert(sizeof(struct wf_fragment_value) == 8, "wf_fragment_value");
_Static_assert(sizeof(struct wf_held_place) == 16, "wf_held_place");
_Static_assert(sizeof(struct wf_held_frame) == 64 + WF_HELD_BYTES, "wf_held_frame");

#endif
