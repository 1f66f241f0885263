//! An Ignition 3.3.0 configuration: what both Flatcar and Fedora CoreOS read.

use secrecy::SecretString;
use serde_json::{Value, json};
use tfplugin::schema::Problem;

use super::super::JoinInput;
use super::super::settings::OWNER;
use super::{CONFIGURATION_PATH, File};

/// Where the script is.
const SCRIPT_PATH: &str = "/etc/kubernetes/kamaji-worker-join.sh";

impl JoinInput {
    /// The JSON; [`None`] with an installer, since `/usr` is read-only on such machines.
    ///
    /// # Errors
    /// Those of [`JoinInput::join_configuration`].
    pub fn user_data_ignition(&self) -> Result<Option<SecretString>, Problem> {
        if self.settings.installer.is_some() {
            return Ok(None);
        }
        let mut files = vec![
            self.configuration_file()?,
            File::of_root(SCRIPT_PATH, "0700", format!("#!/bin/sh\n{}{}", self.title(), self.script_after_files())),
        ];
        files.extend(self.files()?);
        // Tried once: the script removes the configuration however it ends.
        let unit = format!(
            "[Unit]\nDescription=Join this machine to {} as a node\nWants=network-online.target\nAfter=network-online.target \
             containerd.service crio.service\nConditionPathExists={CONFIGURATION_PATH}\n\n[Service]\nType=oneshot\n\
             RemainAfterExit=yes\n\
             Environment=PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
             ExecStart=/bin/sh {SCRIPT_PATH}\n\n[Install]\nWantedBy=multi-user.target\n",
            self.endpoint
        );
        let document = json!({
            "ignition": {"version": "3.3.0"},
            "storage": {"files": files.iter().map(entry).collect::<Vec<_>>()},
            "systemd": {"units": [{"name": "kamaji-worker-join.service", "enabled": true, "contents": unit}]},
        });
        Ok(Some(document.to_string().into()))
    }
}

fn entry(file: &File) -> Value {
    let mut entry = json!({
        "path": file.path,
        "overwrite": true,
        // Ignition counts in decimals.
        "mode": u32::from_str_radix(&file.permissions, 8).unwrap_or(0o600),
        "contents": {"source": format!("data:;base64,{}", file.encoded())},
    });
    if file.owner != OWNER
        && let Some((user, group)) = file.owner.split_once(':')
    {
        entry["user"] = json!({"name": user});
        entry["group"] = json!({"name": group});
    }
    entry
}
