//! What one session would get, asked for without starting it (`wharf render`).
//!
//! The session is lowered as one that a person asks for from a template without any wishes, so that
//! what is shown is what would be started. Mounts, ports and limits beside it come of the same records
//! and selectors.

use std::sync::Arc;

use grammar::own::fields::SessionFields;
use grammar::own::form::Plain;
use grammar::source::FileKind;

use super::container::{self, Mount, OpenPort};
use super::env::Selected;
use super::limits::{self, Limit, Size};
use super::{Ground, Lowering, TemplateSpec};
use crate::desired::{AskedBy, Origins, SessionSpec};
use crate::ids::{ClusterName, Moment, SessionId, UserName};
use crate::read_site::ReadSite;
use crate::site::SiteFiles;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For whom.
    pub user: UserName,
    /// Their groups, which limits look at.
    pub groups: Vec<String>,
    /// The kind of session.
    pub workbench: String,
    /// Where; none = the site's default.
    pub cluster: Option<String>,
    /// `session` or `adhoc`, which records look at.
    pub job_type: String,
}

/// What that session would get.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The session as it would be asked for.
    pub spec: SessionSpec,
    /// Where its parts stand, under `session/<id>`.
    pub origins: Origins,
    /// Whether it would run in a container: on other clusters mounts and ports do nothing.
    pub in_container: bool,
    /// What would be mounted.
    pub mounts: Vec<Mount>,
    /// What would be open.
    pub ports: Vec<OpenPort>,
    /// What its person may have there.
    pub limits: Vec<Limit>,
    /// Named sizes to choose from.
    pub sizes: Vec<Size>,
}

/// Lowers one session of a site.
///
/// # Errors
/// It asks for what the site does not have, in words for a person.
pub fn render(files: &SiteFiles, ground: &Ground, asked: &Asked) -> Result<Rendered, String> {
    let read = ReadSite::new(files);
    let mut lowering = Lowering::new(&read, ground);
    lowering.job_type.clone_from(&asked.job_type);
    lowering.take_workbench();
    lowering.lower_wharf();
    lowering.lower_clusters();
    let id = SessionId::new("rendered").map_err(|error| error.to_string())?;
    let template = TemplateSpec {
        display_name: asked.workbench.clone(),
        version: String::new(),
        fields: without_wishes(asked),
    };
    let by = AskedBy::Person { uid: 0, at: Moment::default() };
    let made = lowering.lower_request(&template, id.clone(), asked.user.clone(), by)?;
    let spec = made.spec;
    lowering.out.origins.add_session(id, Arc::new(made.origins));
    let kind = lowering.out.desired.clusters.get(&spec.launch.cluster).map(|c| c.kind.clone());
    let kind = kind.unwrap_or_default();
    let selected = Selected {
        workbench: &spec.launch.workbench,
        cluster: &spec.launch.cluster,
        job_type: &asked.job_type,
    };
    let of = |kind: FileKind| lowering.document(kind);
    let mounts =
        of(FileKind::LauncherMounts).map(|d| container::mounts_of(d, &selected, &asked.user));
    let ports = of(FileKind::LauncherPorts).map(|d| container::ports_of(d, &selected));
    let (limits, sizes) = allowance(&read, &spec.launch.cluster, &kind, asked);
    Ok(Rendered {
        in_container: container::runs_containers(&kind),
        mounts: mounts.unwrap_or_default(),
        ports: ports.unwrap_or_default(),
        limits,
        sizes,
        origins: lowering.out.origins,
        spec,
    })
}

/// Limits and sizes of a cluster.
fn allowance(
    read: &ReadSite<'_>,
    cluster: &ClusterName,
    kind: &str,
    asked: &Asked,
) -> (Vec<Limit>, Vec<Size>) {
    let files = read.files_of_cluster(cluster.as_str(), kind);
    let limits = files.profiles.map(|file| limits::limits_of(file, &asked.user, &asked.groups));
    let limits = limits.unwrap_or_default();
    let allowed = limits.iter().find(|limit| limit.option == "resource-profiles");
    let allowed = allowed.map(|limit| limit.value.as_str());
    let sizes = files.resources.map(|file| limits::sizes_of(file, allowed)).unwrap_or_default();
    (limits, sizes)
}

/// The fields of a template that says nothing but what is started and where.
fn without_wishes(asked: &Asked) -> SessionFields<Plain> {
    SessionFields {
        workbench: asked.workbench.clone(),
        display_name: None,
        cluster: asked.cluster.clone(),
        restart: None,
        on_removal: None,
        working_dir: None,
        args: None,
        access: None,
        resources: None,
        env: None,
        health: None,
        idle: None,
        stop: None,
        update: None,
        publish: None,
        placement: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{ground, site};
    use crate::desired::EnvValue;

    const LAUNCHER: &str =
        "[cluster]\nname=Local\ntype=Local\n[cluster]\nname=K8s\ntype=Kubernetes\n";
    const ENV: &str = "JobType: session\nEnvironment: A=1\n\nJobType: adhoc\nEnvironment: B=2\n\n\
                       Workbench: vs-code\nEnvironment: C={USER}\n";
    const MOUNTS: &str = "MountType: NFS\nMountPath: /home/{USER}\nHost: nfs\nPath: /e/{USER}\nCluster: K8s\n\n\
                          MountType: Host\nMountPath: /l\nPath: /l\nCluster: Local\n";

    fn rendered(workbench: &str, cluster: &str, job_type: &str) -> Result<Rendered, String> {
        let files = site(&[
            (FileKind::LauncherConf, LAUNCHER),
            (FileKind::LauncherEnv, ENV),
            (FileKind::LauncherMounts, MOUNTS),
        ]);
        render(&files, &ground(), &asked(workbench, cluster, job_type))
    }

    fn asked(workbench: &str, cluster: &str, job_type: &str) -> Asked {
        Asked {
            user: UserName::new("alice").unwrap(),
            groups: Vec::new(),
            workbench: workbench.to_owned(),
            cluster: Some(cluster.to_owned()),
            job_type: job_type.to_owned(),
        }
    }

    fn env(rendered: &Rendered) -> Vec<(&str, &EnvValue)> {
        rendered.spec.launch.env.iter().map(|(name, value)| (name.as_str(), value)).collect()
    }

    #[test]
    fn records_are_chosen_by_job_type_workbench_and_cluster() {
        let one = rendered("jupyterlab", "Local", "session").unwrap();
        assert_eq!(env(&one), [("A", &EnvValue::Plain("1".into()))]);
        let one = rendered("vs-code", "K8s", "adhoc").unwrap();
        let (two, name) = (EnvValue::Plain("2".into()), EnvValue::Plain("alice".into()));
        assert_eq!(env(&one), [("B", &two), ("C", &name)]);
        assert!(one.in_container);
        let paths: Vec<_> =
            one.mounts.iter().map(|mount| (&*mount.path, mount.origin.line)).collect();
        assert_eq!(paths, [("/home/alice", 2)]);
        assert_eq!(one.mounts[0].fields[1], ("Path".to_owned(), "/e/alice".to_owned()));
    }

    #[test]
    fn what_the_site_does_not_have_is_said() {
        let said = rendered("jupyterlap", "Local", "session").unwrap_err();
        assert!(said.contains("no workbench is called `jupyterlap`"), "{said}");
        assert!(rendered("jupyterlab", "Loca", "session").is_err());
    }

    #[test]
    fn a_person_is_shown_the_ports_limits_and_sizes_that_are_theirs() {
        let files = site(&[
            (FileKind::LauncherConf, LAUNCHER),
            (
                FileKind::LauncherPorts,
                "Cluster: K8s\nPorts: 8080\n  9090\n\nCluster: Local\nPorts: 1\n",
            ),
            (
                FileKind::LauncherKubernetesProfiles,
                "[*]\nmax-cpus=2\nresource-profiles=small, large\n[bob]\nmax-cpus=9\n",
            ),
            (
                FileKind::LauncherKubernetesResources,
                "[small]\ncpus=1\nmem-mb=512\n[huge]\ncpus=64\n[large]\ncpus=8\n",
            ),
        ]);
        let rendered =
            |cluster| render(&files, &ground(), &asked("jupyterlab", cluster, "session")).unwrap();
        let one = rendered("K8s");
        let ports: Vec<_> = one.ports.iter().map(|of| (&*of.port, of.origin.line)).collect();
        assert_eq!(ports, [("8080", 2), ("9090", 3)]);
        let limits: Vec<_> = one.limits.iter().map(|of| (&*of.option, &*of.value)).collect();
        assert_eq!(limits, [("max-cpus", "2"), ("resource-profiles", "small, large")]);
        let sizes: Vec<_> = one.sizes.iter().map(|of| (&*of.id, of.origin.line)).collect();
        assert_eq!(sizes, [("small", 1), ("large", 6)]);
        let fields = [("cpus", "1"), ("mem-mb", "512")];
        assert_eq!(one.sizes[0].fields, fields.map(|(name, of)| (name.to_owned(), of.to_owned())));
        // The local launcher has no containers, and no files of Kubernetes.
        let one = rendered("Local");
        assert!(!one.in_container && one.limits.is_empty() && one.sizes.is_empty());
    }

    #[test]
    fn where_no_limit_names_sizes_all_are_to_choose_from() {
        let files = site(&[
            (FileKind::LauncherConf, LAUNCHER),
            (FileKind::LauncherKubernetesProfiles, "[*]\nmax-cpus=2\n"),
            (FileKind::LauncherKubernetesResources, "[small]\ncpus=1\n[huge]\ncpus=64\n"),
        ]);
        let one = render(&files, &ground(), &asked("jupyterlab", "K8s", "session")).unwrap();
        let sizes: Vec<_> = one.sizes.iter().map(|of| &*of.id).collect();
        assert_eq!(sizes, ["small", "huge"]);
    }
}
