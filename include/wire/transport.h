/*
 * A byte pipe to a peer, in both directions. Only transport_wait() blocks. The kinds are TCP, TLS
 * and two file descriptors; vmsend adds SSH and commands (sender/transport).
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

/* The operations of a kind of transport. Each kind's own struct begins with struct transport, whose
 * `ops` they are. */
struct transport_ops {
	/* As transport_send() and the other functions below. */
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
	char peer[80]; /* the name of the other end for the operator: "ssh://crash@hub" */
	char identity[HOST_NAME_ROOM]; /* the name that the peer has proved; "": none */
	const char *proof;	       /* how it has proved the name: "certificate", "pre-shared
					  key" */
	struct error unproved;	       /* why a peer that was let in has no name */
};

void transport_free(struct transport *t);
DEFINE_AUTO(struct transport, transport_free)

/* Hand over bytes. Returns how many were taken; 0 if none can be taken now. Fails with -ECONNRESET,
 * -EPIPE and so on when the link is broken. */
NODISCARD ssize_t transport_send(struct transport *t, const void *bytes, size_t size_bytes,
				 struct error *err);

/* Give bytes that have come. Returns how many; 0 if none are there now. Fails -ENODATA at the
 * orderly end, else as send does. The text of the error then has the last words of the far end's
 * program on its standard error, if they are known. */
NODISCARD ssize_t transport_recv(struct transport *t, void *bytes, size_t size_bytes,
				 struct error *err);

/*
 * Wait until bytes may have come or, if `to_send`, can be sent: 1, or 0 after timeout_ms (< 0: no
 * limit), or when a signal came. `mask`: the signals blocked meanwhile, as for ppoll(); NULL: as
 * they are.
 */
NODISCARD int transport_wait(struct transport *t, bool to_send, int timeout_ms,
			     const sigset_t *mask, struct error *err);

/* End the connection in order, so that the peer gets all sent bytes: waits until the peer has
 * closed, too, and drops the bytes that still come. Takes no more than timeout_ms. */
NODISCARD int transport_finish(struct transport *t, int timeout_ms, struct error *err);

/* The same for a socket: a close with bytes unread would be a reset, which could overtake what was
 * sent. `fd` isn't closed. */
void transport_finish_socket(int fd, int timeout_ms);

/* Whether the peer is known to have closed its side. Bytes that it sent before may still be
 * unread. */
bool transport_hung_up(struct transport *t);

/* Bytes that were taken, but haven't gone out to the network or to the reader of the pipe; 0 where
 * that isn't known. */
size_t transport_unsent_bytes(const struct transport *t);

/* The same for a descriptor that bytes go to. */
size_t transport_fd_unsent_bytes(int fd);

/* The same as transport_hung_up() for a descriptor that bytes come from. */
bool transport_fd_hung_up(int fd);

/* --- kinds ---------------------------------------------------------------------------------- */

/* From a pair of descriptors (taken; may be the same, or standard input and output). */
NODISCARD int transport_new_fds(int in, int out, const char *peer, struct transport **t_ret,
				struct error *err);

enum { HOST_KEYS_MAX = 16 };

/* Paths of the files of one side of TLS, borrowed; NULL: not given. CRLs may be in `ca`, too. */
struct tls_files {
	const char *cert, *key, *ca, *crl, *psk;
};

/* The parameters of a connection. Strings are borrowed; NULL: not given. */
struct connect_setup {
	int timeout_ms;	  /* for all of the steps together */
	struct stop stop; /* ends each of them at once */

	/* Called for each step that has succeeded ("resolve", "connect", "host key", …). May be
	 * NULL. */
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

	/* Called for each line that the command writes to its standard error, as long as the
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

/* A new connection, non-blocking, and the peer's address. Fails with accept()'s errors. */
struct sockaddr_storage;
NODISCARD int tcp_accept(int listen_fd, struct sockaddr_storage *from_ret, int *fd_ret,
			 struct error *err);

NODISCARD int transport_tcp_connect(const struct url *url, const struct connect_setup *setup,
				    struct transport **t_ret, struct error *err);

/* TLS 1.3 as a client. `identity` is the server's name. Where setup->tls.psk is given, certificates
 * are not used. */
NODISCARD int transport_tls_connect(const struct url *url, const struct connect_setup *setup,
				    struct transport **t_ret, struct error *err);

/* TLS 1.3 as a server. The files are read once; then each accepted socket makes a transport. */
struct tls_server;
NODISCARD int tls_server_new(const struct tls_files *files, struct tls_server **s_ret,
			     struct error *err);

/* Whether the server's certificate, CAs and CRLs are valid now: fails -EINVAL, and the error names
 * the first that isn't. */
NODISCARD int tls_server_check(const struct tls_server *s, struct error *err);
void tls_server_free(struct tls_server *s);
DEFINE_AUTO(struct tls_server, tls_server_free)

/* While on, memory that the library gives back is wiped. First called before anything uses the
 * library; not by two threads at once. */
void tls_wipe_memory(bool on);

/*
 * Takes `fd`; the handshake is done within timeout_ms. The transport uses nothing of the server's,
 * so the caller may free the server at once, and with it the server's secrets. `identity` is the
 * client's first SAN, or the identity of its key; `unproved` says why it is "". Fails as
 * stop_check(), too.
 */
NODISCARD int transport_tls_accept(struct tls_server *s, int fd, int timeout_ms,
				   const struct stop *stop, struct transport **t_ret,
				   struct error *err);

#endif
