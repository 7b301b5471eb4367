//! The data path: listeners, routes, forwarding, tunnels.
