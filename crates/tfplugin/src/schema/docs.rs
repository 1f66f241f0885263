//! The documentation page of an object, from its schema, in the layout of the Terraform Registry.

use std::fmt::Write as _;

use super::{Attribute, Kind, Mode, ObjectKind, OnChange, Schema};
use crate::value::Type;

/// The page of an object, as Markdown with front matter.
///
/// `type_name` is the full one (`kamaji_tenant_control_plane`), for the provider its own name (`kamaji`). `examples`
/// are pairs of a title and HCL; an empty title gives no heading. `import` is an id as `terraform import` takes it.
/// `extra` is Markdown that stands before the schema.
pub fn page(
    kind: ObjectKind,
    type_name: &str,
    schema: &Schema,
    examples: &[(&str, &str)],
    import: Option<&str>,
    extra: Option<&str>,
) -> String {
    let mut page = front_matter(kind, type_name, schema.description);
    let heading = match kind {
        ObjectKind::Provider => format!("{type_name} Provider"),
        ObjectKind::Resource => format!("{type_name} (Resource)"),
        ObjectKind::DataSource => format!("{type_name} (Data Source)"),
        ObjectKind::Ephemeral => format!("{type_name} (Ephemeral Resource)"),
    };
    section(&mut page, &format!("# {heading}\n\n{}", schema.description.trim()));
    if !examples.is_empty() {
        section(&mut page, "## Example Usage");
    }
    for (title, hcl) in examples {
        if !title.is_empty() {
            section(&mut page, &format!("### {title}"));
        }
        section(&mut page, &code("terraform", hcl));
    }
    if let Some(extra) = extra {
        section(&mut page, extra.trim());
    }
    section(&mut page, "## Schema");
    groups(&mut page, &schema.attributes, "", "### ", "");
    nested_sections(&mut page, &schema.attributes, "");
    if let Some(id) = import {
        section(&mut page, "## Import");
        let block = format!("import {{\n  to = {type_name}.example\n  id = {id:?}\n}}");
        section(&mut page, &code("terraform", &block));
        section(&mut page, &code("shell", &format!("terraform import {type_name}.example '{id}'")));
    }
    page
}

fn front_matter(kind: ObjectKind, type_name: &str, description: &str) -> String {
    let provider = type_name.split('_').next().unwrap_or(type_name);
    let title = match kind {
        ObjectKind::Provider => format!("{type_name} Provider"),
        ObjectKind::Resource => format!("{type_name} Resource - {provider}"),
        ObjectKind::DataSource => format!("{type_name} Data Source - {provider}"),
        ObjectKind::Ephemeral => format!("{type_name} Ephemeral Resource - {provider}"),
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

/// Adds a part, with an empty line before it.
fn section(page: &mut String, part: &str) {
    page.push('\n');
    page.push_str(part);
    page.push('\n');
}

fn code(language: &str, text: &str) -> String {
    format!("```{language}\n{}\n```", text.trim())
}

/// The attributes of one level, split by who gives the value. `before` and `after` stand around each group's title.
fn groups(page: &mut String, attributes: &[Attribute], parent: &str, before: &str, after: &str) {
    let of = |wanted: &[Mode]| -> Vec<&Attribute> {
        sorted(attributes).into_iter().filter(|attribute| wanted.contains(&attribute.mode)).collect()
    };
    for (title, members) in [
        ("Required", of(&[Mode::Required])),
        ("Optional", of(&[Mode::Optional, Mode::OptionalComputed])),
        ("Read-Only", of(&[Mode::Computed])),
    ] {
        if !members.is_empty() {
            let lines = members.into_iter().map(|attribute| line(attribute, parent)).collect::<Vec<_>>();
            section(page, &format!("{before}{title}{after}\n\n{}", lines.join("\n")));
        }
    }
}

/// A section for each attribute with attributes of its own, a parent before its children.
fn nested_sections(page: &mut String, attributes: &[Attribute], parent: &str) {
    for attribute in sorted(attributes) {
        if !attribute.nested().is_empty() {
            let path = join(parent, attribute.name);
            let anchor = anchor(&path);
            section(page, &format!("<a id=\"{anchor}\"></a>\n### Nested Schema for `{path}`"));
            groups(page, attribute.nested(), &path, "", ":");
            nested_sections(page, attribute.nested(), &path);
        }
    }
}

fn sorted(attributes: &[Attribute]) -> Vec<&Attribute> {
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_by_key(|attribute| attribute.name);
    sorted
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

fn line(attribute: &Attribute, parent: &str) -> String {
    let mut traits = type_words(attribute);
    if attribute.sensitive {
        traits.push_str(", Sensitive");
    }
    if attribute.write_only {
        traits.push_str(", Write-only");
    }
    if attribute.deprecated.is_some() {
        traits.push_str(", Deprecated");
    }
    let mut line = format!("- `{}` ({traits})", attribute.name);
    for sentence in sentences(attribute) {
        // Continuation lines belong to the list item.
        let _ = write!(line, " {}", sentence.replace('\n', "\n  ").replace("\n  \n", "\n\n"));
    }
    if !attribute.nested().is_empty() {
        let _ = write!(line, " (see [below for nested schema](#{}))", anchor(&join(parent, attribute.name)));
    }
    line
}

/// The description and what follows from the table.
fn sentences(attribute: &Attribute) -> Vec<String> {
    let mut sentences = Vec::new();
    if !attribute.description.trim().is_empty() {
        sentences.push(sentence(attribute.description.trim()));
    }
    for validator in &attribute.validators {
        sentences.push(sentence(&match validator.rule.strip_prefix("each ") {
            Some(rule) => format!("Each element must be {rule}"),
            None => format!("Must be {}", validator.rule),
        }));
    }
    if let Some(default) = attribute.default {
        sentences.push(format!("Default: `{default}`."));
    }
    let api = attribute.api.as_ref();
    if let Some(default) = api.and_then(|api| api.server_default) {
        sentences.push(format!("Server default: `{default}`."));
    }
    if let Some(release) = api.and_then(|api| api.since) {
        sentences.push(format!("Since {release}."));
    }
    if let OnChange::Replace(reason) = attribute.on_change {
        sentences.push(sentence(&format!("Changing it makes a new object: {reason}")));
    }
    if let Some(why) = attribute.deprecated {
        sentences.push(sentence(&format!("**Deprecated:** {why}")));
    }
    sentences
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

fn type_words(attribute: &Attribute) -> String {
    match &attribute.kind {
        Kind::Value(ty) => plain_type_words(ty),
        Kind::Object(_) => "Attributes".to_owned(),
        Kind::ListOf(_) => "Attributes List".to_owned(),
        Kind::SetOf(_) => "Attributes Set".to_owned(),
        Kind::MapOf(_) => "Attributes Map".to_owned(),
    }
}

fn plain_type_words(ty: &Type) -> String {
    match ty {
        Type::String => "String".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Bool => "Boolean".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(element) => format!("List of {}", plain_type_words(element)),
        Type::Set(element) => format!("Set of {}", plain_type_words(element)),
        Type::Map(element) => format!("Map of {}", plain_type_words(element)),
        Type::Object(_) => "Object".to_owned(),
        Type::Tuple(_) => "Tuple".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use rstest::rstest;

    use super::*;
    use crate::schema::{RecomputedBy, Validator, boolean, list_of, number, object, string, string_list, string_map};

    fn garden() -> Schema {
        let bed = vec![
            string("plant").required().doc("What grows in it."),
            number("rows").doc("How many rows").rule(Validator::between(1, 9)),
            object("soil", vec![number("ph").doc("Acidity.")]).doc("The soil."),
        ];
        Schema {
            version: 0,
            description: "Manages a garden. It takes\na while to grow.\n\nEven longer in winter.",
            attributes: vec![
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
        }
    }

    #[test]
    fn a_resource_page_has_everything() {
        let page = page(
            ObjectKind::Resource,
            "park_garden",
            &garden(),
            &[("", "resource \"park_garden\" \"example\" {\n  name = \"a\"\n}\n"), ("With beds", "# more\n")],
            Some("town/garden"),
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
    fn titles_follow_the_registry(
        #[case] kind: ObjectKind,
        #[case] name: &str,
        #[case] title: &str,
        #[case] heading: &str,
        #[case] grouped: bool,
    ) {
        let schema = Schema { version: 0, description: "A thing.", attributes: vec![string("a").doc("Said.")] };
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
