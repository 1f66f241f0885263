//! A cloud-config for cloud-init.

use secrecy::SecretString;
use serde::Serialize;
use tfplugin::schema::Problem;

use super::super::JoinInput;
use super::super::configuration::yaml;
use super::super::settings::OWNER;

#[derive(Serialize)]
struct CloudConfig<'a> {
    write_files: Vec<WriteFile>,
    runcmd: [[&'a str; 3]; 1],
}

#[derive(Serialize)]
struct WriteFile {
    path: String,
    owner: String,
    permissions: String,
    encoding: &'static str,
    content: String,
    /// Written at the end of the boot, when users that it makes exist.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    defer: bool,
}

impl JoinInput {
    /// A cloud-config for cloud-init.
    ///
    /// # Errors
    /// Those of [`JoinInput::join_configuration`].
    pub fn user_data_cloud_config(&self) -> Result<SecretString, Problem> {
        let files = std::iter::once(self.configuration_file()?).chain(self.files()?);
        let write_files = files.map(|file| WriteFile {
            content: file.encoded(),
            defer: file.owner != OWNER,
            path: file.path,
            owner: file.owner,
            permissions: file.permissions,
            encoding: "b64",
        });
        let script = self.script_after_files();
        let document = CloudConfig { write_files: write_files.collect(), runcmd: [["sh", "-c", &script]] };
        Ok(format!("#cloud-config\n{}{}", self.title(), yaml(&document)?).into())
    }
}
