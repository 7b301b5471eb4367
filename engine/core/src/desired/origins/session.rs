//! Where the parts of one session stand: in its own file, in what the site gives every session, and in
//! the variables that sessions of its kind share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grammar::own::Lines;

use super::Origin;

/// What the origins of sessions and of their parts begin with.
pub(super) const SESSION: &str = "session/";

/// Where variables stand that many sessions get, by name.
pub type Variables = BTreeMap<String, Origin>;

/// Where one session and its parts stand. Parts are named `args`, `resources.cpus`, `env LC_ALL`; the
/// session itself is the empty part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOrigins {
    /// Its file's short name, and where its fields stand there; none for a requested session.
    pub own: Option<(Arc<str>, Arc<Lines>)>,
    /// Parts that it takes from the site.
    pub site: Vec<(&'static str, Origin)>,
    /// Variables of `launcher-env`, shared by sessions of one kind.
    pub variables: Arc<Variables>,
}

impl SessionOrigins {
    /// The places of a part; none where it stands nowhere.
    pub(super) fn places(&self, part: &str) -> Vec<Origin> {
        let mut places = self.own_places(part);
        for (_, origin) in self.site.iter().filter(|(of, _)| *of == part) {
            if !places.contains(origin) {
                places.push(origin.clone());
            }
        }
        match part.strip_prefix("env ") {
            Some(name) if places.is_empty() => {
                self.variables.get(name).cloned().into_iter().collect()
            }
            _ => places,
        }
    }

    /// The places of a part in the session's own file; what is counted by default stands where its
    /// limit does.
    fn own_places(&self, part: &str) -> Vec<Origin> {
        let Some((file, lines)) = &self.own else { return Vec::new() };
        let at = |path: &str, option: &str| Origin {
            file: Arc::clone(file),
            line: lines.line(path).unwrap_or(1),
            option: option.to_owned(),
        };
        if part.is_empty() {
            return vec![at("workbench", "workbench")];
        }
        if let Some(name) = part.strip_prefix("env ") {
            let path = format!("env.{name}");
            return lines.written(&path).map(|_| at(&path, name)).into_iter().collect();
        }
        if part == "publish" {
            let fields = lines.iter().filter(|(path, _)| is_of_publish(path));
            return fields.map(|(path, _)| at(path, path)).collect();
        }
        if lines.written(part).is_some() {
            return vec![at(part, part)];
        }
        let limit = part.strip_prefix("resources.request.").map(|name| format!("resources.{name}"));
        let limit = limit.filter(|limit| lines.written(limit).is_some());
        limit.map(|limit| at(&limit, &limit)).into_iter().collect()
    }

    /// The parts that stand somewhere.
    pub(super) fn parts(&self) -> BTreeSet<String> {
        let mut parts = self.own_parts();
        parts.extend(self.site.iter().map(|(part, _)| (*part).to_owned()));
        parts.extend(self.variables.keys().map(|name| format!("env {name}")));
        parts
    }

    fn own_parts(&self) -> BTreeSet<String> {
        let Some((_, lines)) = &self.own else { return BTreeSet::new() };
        let mut parts = BTreeSet::from([String::new()]);
        for (path, _) in lines.iter().filter(|(path, _)| !path.is_empty()) {
            match path.strip_prefix("env.") {
                Some(name) => parts.insert(format!("env {name}")),
                None if is_of_publish(path) => parts.insert("publish".to_owned()),
                None => parts.insert(path.to_owned()),
            };
            if let Some(name @ ("cpus" | "memory")) = path.strip_prefix("resources.") {
                parts.insert(format!("resources.request.{name}"));
            }
        }
        parts
    }

    /// Parts that stood somewhere and do not any more, with where they did.
    pub(super) fn gone_since(
        &self,
        earlier: &Arc<Self>,
        variables: &mut GoneVariables,
    ) -> Vec<Gone> {
        if std::ptr::eq(self, &raw const **earlier) {
            return Vec::new();
        }
        let mut gone: Vec<_> = variables.between(&earlier.variables, &self.variables).to_vec();
        let same_file = matches!((&self.own, &earlier.own), (Some((_, now)), Some((_, then)))
            if Arc::ptr_eq(now, then));
        let own = if same_file { BTreeSet::new() } else { earlier.own_parts() };
        let site = earlier.site.iter().map(|(part, _)| (*part).to_owned());
        gone.extend(own.into_iter().chain(site).map(|part| {
            let places = earlier.places(&part);
            (part, places)
        }));
        gone.retain(|(part, _)| self.places(part).is_empty());
        gone
    }
}

fn is_of_publish(path: &str) -> bool {
    path == "publish" || path.starts_with("publish.")
}

/// A part that is gone, and where it stood.
type Gone = (String, Vec<Origin>);

/// Variables that are gone between two sets of them: found once, however many sessions share the two.
#[derive(Default)]
pub(super) struct GoneVariables {
    found: BTreeMap<(usize, usize), Vec<Gone>>,
}

impl GoneVariables {
    fn between(&mut self, then: &Arc<Variables>, now: &Arc<Variables>) -> &[Gone] {
        // Addresses only tell whether this very pair was compared before.
        let pair = (Arc::as_ptr(then).addr(), Arc::as_ptr(now).addr());
        self.found.entry(pair).or_insert_with(|| {
            let gone = then.iter().filter(|(name, _)| !now.contains_key(*name));
            gone.map(|(name, place)| (format!("env {name}"), vec![place.clone()])).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "workbench = \"demo\"\n[resources]\ncpus = 2\n[env]\nA = \"1\"\nB = \"2\"\n\
                        [publish]\ngateway = \"g\"\nport = 1\n";

    fn origins(text: &str, variables: &[(&str, u32)]) -> SessionOrigins {
        let source = grammar::source::Source::new("sessions.d/a.toml", text);
        let own = grammar::own::read_session(&source).own.unwrap();
        let variable = |(name, line): &(&str, u32)| {
            let place = Origin { file: "env".into(), line: *line, option: (*name).to_owned() };
            ((*name).to_owned(), place)
        };
        let variables = Arc::new(variables.iter().map(variable).collect());
        SessionOrigins { own: Some((source.file, own.lines)), site: Vec::new(), variables }
    }

    fn lines(origins: &SessionOrigins, part: &str) -> Vec<u32> {
        origins.places(part).into_iter().map(|place| place.line).collect()
    }

    #[test]
    fn parts_are_found_in_the_files_that_give_them() {
        let origins = origins(FILE, &[("A", 7), ("C", 9)]);
        for (part, at) in [
            ("", &[1][..]),
            ("resources.cpus", &[3]),
            ("resources.request.cpus", &[3]),
            ("env A", &[5]),
            ("env C", &[9]),
            ("publish", &[7, 8, 9]),
            ("args", &[]),
            ("env D", &[]),
        ] {
            assert_eq!(lines(&origins, part), at, "{part}");
        }
        assert!(origins.parts().iter().all(|part| !origins.places(part).is_empty()));
    }

    #[test]
    fn what_is_gone_is_told_with_where_it_stood() {
        let then = Arc::new(origins(FILE, &[("C", 9), ("D", 10)]));
        let now = origins("workbench = \"demo\"\n[env]\nA = \"1\"\nD = \"\"\n", &[]);
        let gone = now.gone_since(&then, &mut GoneVariables::default());
        let parts: Vec<_> = gone.iter().map(|(part, _)| part.as_str()).collect();
        let of_file = ["env B", "publish", "resources", "resources.cpus", "resources.request.cpus"];
        assert_eq!(parts[0], "env C");
        assert_eq!(parts[1..], of_file);
    }
}
