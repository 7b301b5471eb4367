//! What can be planned for, and its name in text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::ListenerId;
use crate::ids::{GatewayId, NodeId, SessionId, WorkbenchName};

/// A thing that can be planned for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Resource {
    /// The site as a whole.
    Site,
    /// The balancer.
    Balancer,
    /// A node.
    Node(NodeId),
    /// A listener.
    Listener(ListenerId),
    /// A gateway.
    Gateway(GatewayId),
    /// A workbench.
    Workbench(WorkbenchName),
    /// A session.
    Session(SessionId),
    /// A route.
    Route(SessionId),
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Site => f.write_str("site"),
            Resource::Balancer => f.write_str("balancer"),
            Resource::Node(id) => write!(f, "node/{id}"),
            Resource::Listener(ListenerId::Www) => f.write_str("listener/www"),
            Resource::Listener(ListenerId::Gateway { gateway, port }) => {
                write!(f, "listener/{gateway}/{port}")
            }
            Resource::Gateway(id) => write!(f, "gateway/{id}"),
            Resource::Workbench(id) => write!(f, "workbench/{id}"),
            Resource::Session(id) => write!(f, "session/{id}"),
            Resource::Route(id) => write!(f, "route/{id}"),
        }
    }
}

impl From<Resource> for String {
    fn from(resource: Resource) -> String {
        resource.to_string()
    }
}

impl TryFrom<String> for Resource {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("`{text}` names no resource");
        let (kind, rest) = text.split_once('/').unwrap_or((&text, ""));
        Ok(match kind {
            "site" => Resource::Site,
            "balancer" => Resource::Balancer,
            "node" => Resource::Node(NodeId::new(rest).map_err(|_| bad())?),
            "gateway" => Resource::Gateway(GatewayId::new(rest).map_err(|_| bad())?),
            "workbench" => Resource::Workbench(WorkbenchName::new(rest).map_err(|_| bad())?),
            "session" => Resource::Session(SessionId::new(rest).map_err(|_| bad())?),
            "route" => Resource::Route(SessionId::new(rest).map_err(|_| bad())?),
            "listener" if rest == "www" => Resource::Listener(ListenerId::Www),
            "listener" => {
                let (gateway, port) = rest.split_once('/').ok_or_else(bad)?;
                Resource::Listener(ListenerId::Gateway {
                    gateway: GatewayId::new(gateway).map_err(|_| bad())?,
                    port: port.parse().map_err(|_| bad())?,
                })
            }
            _ => return Err(bad()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_is_read_back_from_its_name() {
        for name in [
            "site",
            "balancer",
            "node/n1",
            "listener/www",
            "listener/lab/10000",
            "gateway/lab",
            "workbench/demo",
            "session/a",
            "route/a",
        ] {
            let read = Resource::try_from(name.to_owned());
            assert_eq!(read.map(|resource| resource.to_string()), Ok(name.to_owned()));
        }
        let gateway = Resource::try_from("listener/lab/10000".to_owned());
        assert!(matches!(gateway, Ok(Resource::Listener(ListenerId::Gateway { .. }))));
        let www = Resource::try_from("listener/www".to_owned());
        assert_eq!(www, Ok(Resource::Listener(ListenerId::Www)));
    }

    #[test]
    fn what_names_no_resource_is_said_to() {
        for bad in ["", "nodes/n1", "node/", "session/a b", "listener/lab", "listener/lab/http"] {
            let read = Resource::try_from(bad.to_owned());
            assert_eq!(read, Err(format!("`{bad}` names no resource")));
        }
    }
}
