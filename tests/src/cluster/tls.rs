//! Certificates of the agents.

use super::Cluster;
use crate::process::{binary, clean_command};
use anyhow::{Context, Result, ensure};

impl Cluster {
    /// Has `node` and everyone it talks to show a certificate for their datacenter, `dc` in its case.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn verify(&mut self, node: &str, dc: &str) -> Result<()> {
        let dir = self.dir().to_owned();
        let tls = |args: &[&str]| -> Result<String> {
            let out = clean_command(&binary()?).arg("tls").args(args).current_dir(&dir).output()?;
            ensure!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
            Ok(String::from_utf8_lossy(&out.stdout).into_owned())
        };
        if !dir.join("consul-agent-ca.pem").exists() {
            tls(&["ca", "create"])?;
        }
        let role = if node.starts_with("server") { "-server" } else { "-client" };
        let said = tls(&["cert", "create", role, "-dc", dc])?;
        let cert = said.lines().find_map(|l| l.strip_prefix("==> Saved ")).context("nothing saved")?;
        let path = |name: &str| dir.join(name).display().to_string();
        let (ca, cert, key) =
            (path("consul-agent-ca.pem"), path(cert), path(&cert.replace(".pem", "-key.pem")));
        let text = format!(
            "tls {{ defaults {{ ca_file = {ca:?} cert_file = {cert:?} key_file = {key:?} verify_incoming = true verify_outgoing = true }} internal_rpc {{ verify_server_hostname = true }} }}"
        );
        self.node_mut(node)?.args.extend(["-hcl".into(), text]);
        Ok(())
    }
}
