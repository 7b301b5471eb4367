//! Listening on a TCP address: one socket an address, owned by the warden so that it outlives engines.
//!
//! No SO_REUSEPORT: closing one of several resets its queue. `::` takes IPv4, too (`IPV6_V6ONLY` off):
//! the product of whose files these are does so on systems in their default setting, and who writes
//! `www-address=::` for it expects both.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use engine_core::desired::ListenAddress;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::{holder, refused, system};
use crate::ports::WardenError;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Binds and listens.
///
/// # Errors
/// The address is not to be had; who holds it is named where that can be found out.
pub fn listen(address: &ListenAddress) -> Result<OwnedFd, WardenError> {
    let what = || format!("listen on {address}");
    try_listen(address).map_err(|errno| match errno {
        rustix::io::Errno::ADDRINUSE => {
            let holder = holder::of_port(address.ip, address.port);
            let holder = holder.unwrap_or_else(|| "another process".to_owned());
            refused(what(), format!("held by {holder}"))
        }
        rustix::io::Errno::ACCESS => {
            refused(what(), "ports below net.ipv4.ip_unprivileged_port_start need root")
        }
        rustix::io::Errno::ADDRNOTAVAIL => refused(what(), "this machine has no such address"),
        errno => system(what(), errno),
    })
}

fn try_listen(address: &ListenAddress) -> rustix::io::Result<OwnedFd> {
    let family = match address.ip {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if let IpAddr::V6(ip) = address.ip {
        sockopt::set_ipv6_v6only(&socket, !ip.is_unspecified())?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(address.ip, address.port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_free_address_is_bound_and_a_taken_one_names_its_holder() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let held = TcpListener::bind((ip, 0)).unwrap();
        let address = ListenAddress { ip, port: held.local_addr().unwrap().port() };
        let error = listen(&address).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        drop(held);
        let socket = TcpListener::from(listen(&address).unwrap());
        assert_eq!(socket.local_addr().unwrap().port(), address.port);
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_one() {
        let ip = "192.0.2.1".parse().unwrap();
        let error = listen(&ListenAddress { ip, port: 18_787 }).unwrap_err().to_string();
        assert!(error.contains("no such address"), "{error}");
    }
}
