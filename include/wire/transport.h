/*
 * A byte pipe both ways to a peer, which never blocks but in transport_wait(): TCP, TLS, two file
 * descriptors; SSH joins from sender/transport/ssh_channel.c.
 *
 * One user at a time, though not always the same thread. Every wait has a limit.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/hostname.h"
#include "base/stop.h"

struct transport;
struct url;

/* What a kind of transport can do; begins each kind's own struct as its `ops`. */
struct transport_ops {
	/* As transport_send() and so on. */
	ssize_t (*send)(struct transport *t, const void *bytes, size_t size_bytes,
			struct error *err);
	ssize_t (*recv)(struct transport *t, void *bytes, size_t size_bytes, struct error *err);
	int (*wait)(struct transport *t, bool to_send, int timeout_ms, const sigset_t *mask,
		    struct error *err);
	int (*finish)(struct transport *t, int timeout_ms, struct error *err);
	void (*free)(struct transport *t);
	bool (*hung_up)(struct transport *t);	     /* NULL: it can't tell */
	size_t (*unsent)(const struct transport *t); /* NULL: the same */
};

struct transport {
	const struct transport_ops *ops;
	char peer[80]; /* who is at the other end, as an operator knows it: "ssh://crash@hub" */
	char identity[HOST_NAME_ROOM]; /* the name that the peer has proved; "": none */
	const char *proof;	       /* how: "certificate", "pre-shared key" */
	struct error unproved;	       /* of a peer that was let in, but has no name: why */
};

void transport_free(struct transport *t);
DEFINE_AUTO(struct transport, transport_free)

/* Hand over bytes: how many were taken, 0 if none can be now. Fails with -ECONNRESET, -EPIPE and so
 * on when the link is broken. */
NODISCARD ssize_t transport_send(struct transport *t, const void *bytes, size_t size_bytes,
				 struct error *err);

/* Bytes that have come: how many, 0 if none are there now. Fails -ENODATA at the orderly end, else
 * as send does; the text then has what the far end's program said on its standard error, if that is
 * known. */
NODISCARD ssize_t transport_recv(struct transport *t, void *bytes, size_t size_bytes,
				 struct error *err);

/*
 * Wait until bytes may have come or, if `to_send`, can be sent: 1, or 0 after timeout_ms (< 0: no
 * limit), or when a signal came. `mask`: the signals blocked meanwhile, as for ppoll(); NULL: as
 * they are.
 */
NODISCARD int transport_wait(struct transport *t, bool to_send, int timeout_ms,
			     const sigset_t *mask, struct error *err);

/* Say goodbye in order, so that the peer gets all that was sent: waits until it has closed, too,
 * and drops what it still says. It takes no more than timeout_ms. */
NODISCARD int transport_finish(struct transport *t, int timeout_ms, struct error *err);

/* The same for a socket: a close with bytes unread would be a reset, which could overtake what was
 * sent. `fd` isn't closed. */
void transport_finish_socket(int fd, int timeout_ms);

/* Whether the peer is known to have closed its side, though bytes from before may be unread. */
bool transport_hung_up(struct transport *t);

/* Bytes that were taken and have not gone out to the network, or into the pipe's reader; 0 where
 * that can't be told. */
size_t transport_unsent_bytes(const struct transport *t);

/* Of a descriptor that bytes go to: the same. */
size_t transport_fd_unsent_bytes(int fd);

/* Of a descriptor that bytes come from: whether the peer has hung up. */
bool transport_fd_hung_up(int fd);

/* --- kinds ---------------------------------------------------------------------------------- */

/* From a pair of descriptors (taken; may be the same, or standard input and output). */
NODISCARD int transport_new_fds(int in, int out, const char *peer, struct transport **t_ret,
				struct error *err);

enum { HOST_KEYS_MAX = 16 };

/* Paths of what a side of TLS has, borrowed; NULL: not given. CRLs may be in `ca`, too. */
struct tls_files {
	const char *cert, *key, *ca, *crl, *psk;
};

/* How to connect, and what with. Strings are borrowed; NULL: not given. */
struct connect_setup {
	int timeout_ms;	  /* for all of the steps together */
	struct stop stop; /* ends each of them at once */

	/* Told of each step that was passed ("resolve", "connect", "host key", …). May be NULL. */
	void (*passed)(void *ctx, const char *step, const char *detail);
	void *ctx;

	struct tls_files tls;
	/* The time for judging certificates, if the clock is before it: the vmcore's crash time.
	 * Seconds since 1970. */
	int64_t not_before_s;

	/* For SSH. */
	const char *identity, *known_hosts;   /* files; NULL: those of ssh(1) */
	const char *host_keys[HOST_KEYS_MAX]; /* fingerprints, of which the server must have one */
	size_t host_key_count;		      /* 0: known_hosts counts */
	const char *remote_command;	      /* "vmrecv --stdio" */

	/* Told what that command says on its standard error, a line at a time, as long as the
	 * transport lives. May be NULL. */
	void (*said)(void *ctx, const char *line);
	void *said_ctx;
};

/* A connected, non-blocking TCP socket. Fails with the step's name in the text. */
NODISCARD int tcp_connect(const struct url *url, const struct connect_setup *setup, int *fd_ret,
			  struct error *err);

/* Whether tcp_listen() can take it, without looking up or opening anything: 0, or -EINVAL. */
NODISCARD int tcp_check_address(const char *address, struct error *err);

/* A listening socket on "ADDR:PORT", "[v6]:PORT", ":PORT"; port 0: any. address_ret: as bound. */
NODISCARD int tcp_listen(const char *address, int *fd_ret, char address_ret[static 64],
			 struct error *err);

/* A connection, non-blocking, and where from. Fails with accept()'s errors. */
struct sockaddr_storage;
NODISCARD int tcp_accept(int listen_fd, struct sockaddr_storage *from_ret, int *fd_ret,
			 struct error *err);

NODISCARD int transport_tcp_connect(const struct url *url, const struct connect_setup *setup,
				    struct transport **t_ret, struct error *err);

/* TLS 1.3 as a client. `identity` is the server's name. Where setup->tls.psk is given, certificates
 * are not used. */
NODISCARD int transport_tls_connect(const struct url *url, const struct connect_setup *setup,
				    struct transport **t_ret, struct error *err);

/* As a server: the files are read once, then each accepted socket makes a transport. */
struct tls_server;
NODISCARD int tls_server_new(const struct tls_files *files, struct tls_server **s_ret,
			     struct error *err);

/* Whether its certificate, CAs and CRLs are valid by now: -EINVAL, and the first that isn't. */
NODISCARD int tls_server_check(const struct tls_server *s, struct error *err);
void tls_server_free(struct tls_server *s);
DEFINE_AUTO(struct tls_server, tls_server_free)

/* While on, memory that the library gives back is wiped. First called before anything uses the
 * library; not by two threads at once. */
void tls_wipe_memory(bool on);

/*
 * Takes `fd`; the handshake is done within timeout_ms. The transport has nothing of the server's:
 * that may be freed at once, and its secrets are gone then. `identity` is the client's first SAN,
 * or the identity of its key; `unproved` says why it is "". Fails as stop_check(),
 * too.
 */
NODISCARD int transport_tls_accept(struct tls_server *s, int fd, int timeout_ms,
				   const struct stop *stop, struct transport **t_ret,
				   struct error *err);

#endif
