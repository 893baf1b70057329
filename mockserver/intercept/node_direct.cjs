// Loaded into every Node of a run with --intercept, by NODE_OPTIONS. A Node that does not know NODE_USE_ENV_PROXY
// finds no proxy in its variables, and would call the service itself: its TLS connections are led to the mock here.
"use strict";

const port = Number(process.env.NODE_DIRECT_TLS_PORT);

// The flag came with the version in which both fetch and http go by NODE_USE_ENV_PROXY.
if (port > 0 && !process.allowedNodeEnvironmentFlags.has("--use-env-proxy")) {
  const tls = require("node:tls");
  const connect = tls.connect;

  const isNear = (host) => /^(localhost|127\..*|::1|\[::1\])$/i.test(host);

  /** What tls.connect was asked for, as one object; null: something that leads to no host. */
  const read = (given) => {
    const options = {};
    if (typeof given[0] === "object") {
      Object.assign(options, given[0]);
    } else {
      options.port = given[0];
      if (typeof given[1] === "string") options.host = given[1];
      Object.assign(options, given.slice(1).find((one) => one !== null && typeof one === "object"));
    }
    const leads = !options.socket && !options.path && Number(options.port) === 443;
    return leads && !isNear(options.host ?? options.servername ?? "localhost") ? options : null;
  };

  tls.connect = function novitaMockConnect(...given) {
    const options = read(given);
    if (options === null) return connect.apply(this, given);
    const servername = options.servername || options.host;
    const { lookup, localAddress, family, ...kept } = options;
    const listener = given.find((one) => typeof one === "function");
    return connect.call(this, { ...kept, host: "127.0.0.1", port, servername }, listener);
  };
  require("node:module").syncBuiltinESMExports();
}
