//! Which facts of the machine a set of files speaks of: whoever collects [`crate::facts`] looks here first.

use grammar::source::FileKind;
use grammar::tree::{Item, Tree};

use super::SiteFiles;
use crate::known::Known;

/// The account of the product's server unless `server-user` names another (options.toml).
const SERVER_USER: &str = "rstudio-server";

/// Values of a set of files that name things of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `secure-cookie-key-file`, if it is set.
    pub cookie_key: Option<String>,
    /// `ssl-certificate`, likewise.
    pub certificate: Option<String>,
    /// `ssl-certificate-key`, likewise.
    pub certificate_key: Option<String>,
    /// `server-user`, or its default.
    pub server_user: String,
    /// `path` of `[store]`, if it is set.
    pub store: Option<String>,
}

impl Wanted {
    /// What a set of files names. Looks at the form only, so that a set is not read twice.
    #[must_use]
    pub fn of(files: &SiteFiles) -> Self {
        let text = |kind| files.workbench.get(&kind).and_then(Known::present).map(|s| &*s.text);
        let rserver = text(FileKind::RserverConf).unwrap_or_default();
        let tree = grammar::options::parse(rserver).tree;
        let path = |name| value(&tree, name).map(|path| files.below_root(&path));
        let user = value(&tree, "server-user");
        Self {
            cookie_key: path("secure-cookie-key-file"),
            certificate: path("ssl-certificate"),
            certificate_key: path("ssl-certificate-key"),
            server_user: user.unwrap_or_else(|| SERVER_USER.to_owned()),
            store: store_path(files).map(|path| files.below_root(&path)),
        }
    }
}

/// The last value of an option of a flat file; none where it is empty.
fn value(tree: &Tree<'_>, name: &str) -> Option<String> {
    let entries = tree.items().iter().filter_map(|item| match item {
        Item::Entry(entry) => Some(entry),
        Item::Section { .. } => None,
    });
    let named = entries.filter(|entry| entry.key.is_some_and(|key| tree.token(key).text == name));
    let mut values = named.map(|entry| tree.token(entry.value).text.to_string());
    values.next_back().filter(|value| !value.is_empty())
}

fn store_path(files: &SiteFiles) -> Option<String> {
    let own = grammar::own::read_wharf(files.wharf.present()?).own?;
    own.value.store?.path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_begin_at_the_root() {
        let mut files = SiteFiles::nothing("/image/etc/rstudio", "/image/etc/wharf");
        files.root = "/image".into();
        let text = "ssl-certificate=/etc/ssl/a.pem\nserver-user=b\n";
        let source = grammar::source::Source::new("/image/etc/rstudio/rserver.conf", text);
        files.workbench.insert(FileKind::RserverConf, Known::Present(source));
        let wanted = Wanted::of(&files);
        assert_eq!(wanted.certificate.as_deref(), Some("/image/etc/ssl/a.pem"));
        assert_eq!(wanted.server_user, "b");
    }

    #[test]
    fn the_last_value_of_a_name_counts_and_an_empty_one_names_nothing() {
        let tree = grammar::options::parse("a=1\n#a=2\na=3\nb=\n").tree;
        assert_eq!(value(&tree, "a").as_deref(), Some("3"));
        assert_eq!(value(&tree, "b"), None);
    }

    #[test]
    fn the_store_is_where_wharf_toml_says_below_the_root() {
        let mut files = SiteFiles::nothing("/image/etc/rstudio", "/image/etc/wharf");
        files.root = "/image".into();
        assert_eq!(Wanted::of(&files).store, None);
        let text = "[store]\npath = \"/srv/wharf\"\n";
        let source = grammar::source::Source::new("/image/etc/wharf/wharf.toml", text);
        files.wharf = Known::Present(source);
        assert_eq!(Wanted::of(&files).store.as_deref(), Some("/image/srv/wharf"));
    }
}
