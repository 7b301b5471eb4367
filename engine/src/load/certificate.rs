//! Whom a certificate stands for, and until when.
//!
//! Proves nothing: no signature is checked and no trust is given. Knows no file.

use std::net::{Ipv4Addr, Ipv6Addr};

use engine_core::facts::Certificate;
use engine_core::ids::Moment;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

/// Reads the first certificate of a PEM file, or one in DER.
///
/// # Errors
/// It is none: why, in words for a person.
pub(super) fn read(bytes: &[u8]) -> Result<Certificate, String> {
    let certificate = if bytes.starts_with(b"0") {
        x509_cert::Certificate::from_der(bytes).map_err(|error| error.to_string())?
    } else {
        let chain = x509_cert::Certificate::load_pem_chain(bytes);
        let chain = chain.map_err(|error| format!("no certificate in PEM: {error}"))?;
        chain.into_iter().next().ok_or("no certificate in PEM: there is none in it")?
    };
    let body = certificate.tbs_certificate();
    let validity = body.validity();
    let extension = body.get_extension::<SubjectAltName>().map_err(|error| error.to_string())?;
    let names = match extension {
        Some((_, names)) => names.0.iter().filter_map(shown).collect(),
        None => common_name(&body.subject().to_string()).into_iter().collect(),
    };
    Ok(Certificate {
        names,
        from: moment(&validity.not_before),
        until: moment(&validity.not_after),
    })
}

/// A name as people write it, if it is one of a machine.
fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
            [a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d).to_string()),
            ref bytes => {
                let bytes: [u8; 16] = bytes.try_into().ok()?;
                Some(Ipv6Addr::from(bytes).to_string())
            }
        },
        _ => None,
    }
}

/// The common name of a subject such as `CN=host.example.org,O=Example`.
fn common_name(subject: &str) -> Option<String> {
    let parts = subject.split([',', '+']);
    let name = parts.map(str::trim).find_map(|part| part.strip_prefix("CN="))?;
    Some(name.to_ascii_lowercase())
}

fn moment(time: &Time) -> Moment {
    Moment(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
}
