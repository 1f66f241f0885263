//! The documentation page of an object, from its schema, in the layout of the Terraform Registry.

pub(crate) mod attributes;

use super::{ObjectKind, Schema};

/// The page of an object, as Markdown with front matter.
///
/// `type_name` is the full one (`kamaji_tenant_control_plane`), for the provider its own name (`kamaji`). `examples`
/// are pairs of a title and HCL; an empty title gives no heading. `import` says how
/// an object is imported. `extra` is Markdown that stands before the schema.
pub fn page(
    kind: ObjectKind,
    type_name: &str,
    schema: &Schema,
    examples: &[(&str, &str)],
    import: Option<Import<'_>>,
    extra: Option<&str>,
) -> String {
    let mut page = front_matter(kind, type_name, schema.description);
    let heading = match kind {
        ObjectKind::Provider => format!("{type_name} Provider"),
        ObjectKind::Resource => format!("{type_name} (Resource)"),
        ObjectKind::DataSource => format!("{type_name} (Data Source)"),
        ObjectKind::Ephemeral => format!("{type_name} (Ephemeral Resource)"),
        ObjectKind::List => format!("{type_name} (List Resource)"),
        ObjectKind::Action => format!("{type_name} (Action)"),
    };
    section(&mut page, &format!("# {heading}\n\n{}", schema.description.trim()));
    example_usage(&mut page, examples);
    if let Some(extra) = extra {
        section(&mut page, extra.trim());
    }
    section(&mut page, "## Schema");
    attributes::write(&mut page, &schema.attributes);
    if let Some(Import { id, identity }) = import {
        section(&mut page, "## Import");
        let block = format!("import {{\n  to = {type_name}.example\n  id = {id:?}\n}}");
        section(&mut page, &code("terraform", &block));
        section(&mut page, &code("shell", &format!("terraform import {type_name}.example '{id}'")));
        if let Some(hcl) = identity {
            section(&mut page, "By identity, with Terraform or OpenTofu 1.12 and later:");
            section(&mut page, &code("terraform", hcl));
        }
    }
    page
}

/// How an object is imported.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    /// An id as `terraform import` takes it.
    pub id: &'a str,
    /// An import block by identity, for resources that have one.
    pub identity: Option<&'a str>,
}

fn front_matter(kind: ObjectKind, type_name: &str, description: &str) -> String {
    let provider = type_name.split('_').next().unwrap_or(type_name);
    let title = match kind {
        ObjectKind::Provider => format!("{type_name} Provider"),
        ObjectKind::Resource => format!("{type_name} Resource - {provider}"),
        ObjectKind::DataSource => format!("{type_name} Data Source - {provider}"),
        ObjectKind::Ephemeral => format!("{type_name} Ephemeral Resource - {provider}"),
        ObjectKind::List => format!("{type_name} List Resource - {provider}"),
        ObjectKind::Action => format!("{type_name} Action - {provider}"),
    };
    // The Registry groups pages by subcategory; the index page is in no group.
    let group = if kind == ObjectKind::Provider { "" } else { "subcategory: \"\"\n" };
    let summary = first_sentence(description);
    format!("---\npage_title: \"{title}\"\n{group}description: |-\n  {summary}\n---\n")
}

/// The first sentence, on one line.
fn first_sentence(description: &str) -> String {
    let paragraph = description.trim().split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.find(". ") {
        Some(end) => line[..=end].to_owned(),
        None => line,
    }
}

/// Adds examples with their titles; an empty title gives no heading.
pub(crate) fn example_usage(page: &mut String, examples: &[(&str, &str)]) {
    if !examples.is_empty() {
        section(page, "## Example Usage");
    }
    for (title, hcl) in examples {
        if !title.is_empty() {
            section(page, &format!("### {title}"));
        }
        section(page, &code("terraform", hcl));
    }
}

/// Adds a part, with an empty line before it.
pub(crate) fn section(page: &mut String, part: &str) {
    page.push('\n');
    page.push_str(part);
    page.push('\n');
}

pub(crate) fn code(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```", text.trim())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use rstest::rstest;

    use super::*;
    use crate::schema::{
        Attribute, RecomputedBy, Validator, boolean, list_of, number, object, string, string_list, string_map,
    };

    fn garden() -> Schema {
        let bed = vec![
            string("plant").required().doc("What grows in it."),
            number("rows").doc("How many rows").rule(Validator::between(1, 9)),
            object("soil", vec![number("ph").doc("Acidity.")]).doc("The soil."),
        ];
        Schema::new(
            0,
            "Manages a garden. It takes\na while to grow.\n\nEven longer in winter.",
            vec![
                string("name").required().doc("Name of the garden.").replace("the sign at the gate is carved"),
                string("kind").doc("Style.").rule(Validator::one_of(&["wild", "formal"])).server_default("\"wild\""),
                string("season").doc("Season.\n\nWinter is slow.").default("spring").since("edge-25.1.1"),
                Attribute { write_only: true, ..string("key").doc("Key of the gate.").sensitive() },
                Attribute { deprecated: Some("Use `season`."), ..boolean("winter").doc("Winter.") },
                string_list("paths").doc("Paths.").rule(Validator::each(Validator::one_of(&["gravel"]))),
                string_map("labels").doc("Labels."),
                list_of("beds", bed).doc("Beds."),
                object("fence", vec![]).doc("`{}` puts one up."),
                string("id").doc("Id.").computed(RecomputedBy::Nothing),
            ],
        )
    }

    #[test]
    fn a_resource_page_has_everything() {
        let page = page(
            ObjectKind::Resource,
            "park_garden",
            &garden(),
            &[("", "resource \"park_garden\" \"example\" {\n  name = \"a\"\n}\n"), ("With beds", "# more\n")],
            Some(Import { id: "town/garden", identity: None }),
            Some("## Seasons\n\nFour."),
        );
        assert_snapshot!(page, @r##"
        ---
        page_title: "park_garden Resource - park"
        subcategory: ""
        description: |-
          Manages a garden.
        ---

        # park_garden (Resource)

        Manages a garden. It takes
        a while to grow.

        Even longer in winter.

        ## Example Usage

        ```terraform
        resource "park_garden" "example" {
          name = "a"
        }
        ```

        ### With beds

        ```terraform
        # more
        ```

        ## Seasons

        Four.

        ## Schema

        ### Required

        - `name` (String) Name of the garden. Changing it makes a new object: the sign at the gate is carved.

        ### Optional

        - `beds` (Attributes List) Beds. (see [below for nested schema](#nestedatt--beds))
        - `fence` (Attributes) `{}` puts one up.
        - `key` (String, Sensitive, Write-only) Key of the gate.
        - `kind` (String) Style. Must be one of `wild`, `formal`. Server default: `"wild"`.
        - `labels` (Map of String) Labels.
        - `paths` (List of String) Paths. Each element must be one of `gravel`.
        - `season` (String) Season.

          Winter is slow. Default: `spring`. Since edge-25.1.1.
        - `winter` (Boolean, Deprecated) Winter. **Deprecated:** Use `season`.

        ### Read-Only

        - `id` (String) Id.

        <a id="nestedatt--beds"></a>
        ### Nested Schema for `beds`

        Required:

        - `plant` (String) What grows in it.

        Optional:

        - `rows` (Number) How many rows. Must be a whole number from 1 to 9.
        - `soil` (Attributes) The soil. (see [below for nested schema](#nestedatt--beds--soil))

        <a id="nestedatt--beds--soil"></a>
        ### Nested Schema for `beds.soil`

        Optional:

        - `ph` (Number) Acidity.

        ## Import

        ```terraform
        import {
          to = park_garden.example
          id = "town/garden"
        }
        ```

        ```shell
        terraform import park_garden.example 'town/garden'
        ```
        "##);
    }

    #[test]
    fn what_is_the_same_in_several_places_is_said_once() {
        let paint = |name| object(name, vec![string("colour").doc("Colour.")]).doc("Paint.");
        let with = |name| object(name, vec![paint("inside"), paint("outside")]).doc("Walls.");
        let attributes =
            vec![with("house"), with("shed"), paint("gate"), object("fence", vec![number("colour").doc("Colour.")])];
        let schema = Schema::new(0, "A thing.", attributes);
        let page = page(ObjectKind::Resource, "park_garden", &schema, &[], None, None);
        let (_, page) = page.split_once("### Optional").expect("attributes");
        assert_snapshot!(page.trim(), @r##"
        - `fence` (Attributes) (see [below for nested schema](#nestedatt--fence))
        - `gate` (Attributes) Paint. (see [below for nested schema](#nestedatt--gate))
        - `house` (Attributes) Walls. (see [below for nested schema](#nestedatt--house))
        - `shed` (Attributes) Walls. (see [below for nested schema](#nestedatt--house))

        <a id="nestedatt--fence"></a>
        ### Nested Schema for `fence`

        Optional:

        - `colour` (Number) Colour.

        <a id="nestedatt--gate"></a>
        ### Nested Schema for `gate`

        The same for `house.inside`, `house.outside`.

        Optional:

        - `colour` (String) Colour.

        <a id="nestedatt--house"></a>
        ### Nested Schema for `house`

        The same for `shed`.

        Optional:

        - `inside` (Attributes) Paint. (see [below for nested schema](#nestedatt--gate))
        - `outside` (Attributes) Paint. (see [below for nested schema](#nestedatt--gate))
        "##);
    }

    #[rstest]
    #[case(ObjectKind::Provider, "park", "page_title: \"park Provider\"", "# park Provider", false)]
    #[case(
        ObjectKind::DataSource,
        "park_tree",
        "page_title: \"park_tree Data Source - park\"",
        "# park_tree (Data Source)",
        true
    )]
    #[case(
        ObjectKind::Ephemeral,
        "park_tree",
        "page_title: \"park_tree Ephemeral Resource - park\"",
        "# park_tree (Ephemeral Resource)",
        true
    )]
    #[case(
        ObjectKind::List,
        "park_tree",
        "page_title: \"park_tree List Resource - park\"",
        "# park_tree (List Resource)",
        true
    )]
    fn titles_follow_the_registry(
        #[case] kind: ObjectKind,
        #[case] name: &str,
        #[case] title: &str,
        #[case] heading: &str,
        #[case] grouped: bool,
    ) {
        let schema = Schema::new(0, "A thing.", vec![string("a").doc("Said.")]);
        let page = page(kind, name, &schema, &[], None, None);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines[1], title);
        assert!(lines.contains(&heading), "{page}");
        assert_eq!(lines.contains(&"subcategory: \"\""), grouped);
        assert!(!page.contains("## Import") && !page.contains("## Example Usage"));
    }

    #[rstest]
    #[case("One. Two.", "One.")]
    #[case("One\nline\n\nTwo.", "One line")]
    #[case("Version 1.30 of it.", "Version 1.30 of it.")]
    fn the_summary_is_the_first_sentence(#[case] description: &str, #[case] summary: &str) {
        assert_eq!(first_sentence(description), summary);
    }
}
