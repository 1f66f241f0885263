//! What not every Terraform and OpenTofu knows.

/// A feature of Terraform or OpenTofu that the provider serves. docs/index.md has the same table for users.
#[derive(Clone, Copy)]
pub enum Feature {
    /// `provider::kamaji::…`
    Functions,
    /// `moved` from a resource of another type
    Moves,
    /// `ephemeral` blocks
    Ephemerals,
    /// Arguments that end in `_wo`
    WriteOnly,
    /// `identity` in an `import` block
    IdentityImport,
    /// `terraform query` and the configuration that it generates
    Query,
    /// `action` blocks and `-invoke`
    Actions,
}

impl Feature {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Functions,
        Self::Moves,
        Self::Ephemerals,
        Self::WriteOnly,
        Self::IdentityImport,
        Self::Query,
        Self::Actions,
    ];

    /// How the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Functions => "provider functions",
            Self::Moves => "moves from other resource types",
            Self::Ephemerals => "ephemeral resources",
            Self::WriteOnly => "write-only arguments",
            Self::IdentityImport => "import by identity",
            Self::Query => "list resources, `query`",
            Self::Actions => "actions",
        }
    }

    /// The minor version of Terraform 1 or OpenTofu 1 that brought it, from their change logs; none if it is not there yet.
    pub fn since(self, program: &str) -> Option<u32> {
        let (terraform, opentofu) = match self {
            Self::Functions => (8, Some(7)),
            Self::Moves => (8, Some(10)),
            Self::Ephemerals => (10, Some(11)),
            Self::WriteOnly => (11, Some(11)),
            Self::IdentityImport => (12, Some(12)),
            Self::Query | Self::Actions => (14, None),
        };
        if program == "Terraform" { Some(terraform) } else { opentofu }
    }
}
