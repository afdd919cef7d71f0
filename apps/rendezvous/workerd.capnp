using Workerd = import "/workerd/workerd.capnp";

# The rendezvous on one machine, without an account: the bundle that `wrangler deploy` ships, on a local disk.
#   TICKET_JWK=… BASE_DOMAIN=th.localhost workerd serve workerd.capnp --directory-path disk=DIR --socket-addr http=127.0.0.1:8788
const config :Workerd.Config = (
  services = [
    (name = "rendezvous", worker = .rendezvous),
    (name = "disk", disk = (writable = true)),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [(name = "http", http = (), service = "rendezvous")],
);

const rendezvous :Workerd.Worker = (
  modules = [(name = "worker.mjs", esModule = embed "dist/worker.mjs")],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["enable_request_signal", "request_signal_passthrough"],
  bindings = [
    (name = "SLUG", durableObjectNamespace = "SlugObject"),
    (name = "TICKET_JWK", fromEnvironment = "TICKET_JWK"),
    (name = "BASE_DOMAIN", fromEnvironment = "BASE_DOMAIN"),
  ],
  durableObjectNamespaces = [(className = "SlugObject", uniqueKey = "smooth-slug", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
);
