//! Is `docs/` what the schemas and `examples/` say? `UPDATE_DOCS=1` (`make docs`) writes it.

#![allow(clippy::expect_used, reason = "a test fails by a panic")]

#[path = "docs/titles.rs"]
mod titles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use terraform_provider_kamaji::provider::KamajiProvider;
use tfplugin::function;
use tfplugin::provider::Provider as _;
use tfplugin::schema::docs::{Import, page};
use tfplugin::schema::{Attribute, Mode, ObjectKind, Schema};

const FOLDERS: [&str; 6] =
    ["resources", "data-sources", "ephemeral-resources", "list-resources", "functions", "actions"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file below the root of the repository.
fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// One object of the provider, and where what is written about it lies.
struct Object<'a> {
    kind: ObjectKind,
    type_name: &'a str,
    schema: &'a Schema,
    example: String,
    page: String,
}

impl<'a> Object<'a> {
    fn of(kind: ObjectKind, folder: &str, file: &str, type_name: &'a str, schema: &'a Schema) -> Self {
        let short = type_name.strip_prefix("kamaji_").unwrap_or(type_name);
        Self {
            kind,
            type_name,
            schema,
            example: format!("examples/{folder}/{type_name}/{file}"),
            page: format!("docs/{folder}/{short}.md"),
        }
    }

    /// The id in the example's `import.sh`; [`None`] for what cannot be imported.
    fn import_id(&self) -> Option<String> {
        let command = text(Path::new(&self.example).with_file_name("import.sh"))?;
        command.split('\'').nth(1).map(str::to_owned)
    }

    fn render(&self) -> String {
        let example = text(&self.example).unwrap_or_else(|| panic!("{} is missing: write an example", self.example));
        let by_identity = text(Path::new(&self.example).with_file_name("import-by-identity.tf"));
        let id = self.import_id();
        let import = id.as_deref().map(|id| Import { id, identity: by_identity.as_deref() });
        // The index says which object is for what.
        let extra = text(Path::new(&self.example).with_file_name("what-to-use.md"));
        page(self.kind, self.type_name, self.schema, &[("", &example)], import, extra.as_deref())
    }
}

fn objects(provider: &KamajiProvider) -> Vec<Object<'_>> {
    let mut objects = vec![Object {
        kind: ObjectKind::Provider,
        type_name: "kamaji",
        schema: provider.schema(),
        example: "examples/provider/provider.tf".to_owned(),
        page: "docs/index.md".to_owned(),
    }];
    objects.extend(
        provider
            .resources()
            .iter()
            .map(|it| Object::of(ObjectKind::Resource, "resources", "resource.tf", it.type_name(), it.schema())),
    );
    objects.extend(provider.data_sources().iter().map(|it| {
        let (folder, file) = ("data-sources", "data-source.tf");
        Object::of(ObjectKind::DataSource, folder, file, it.type_name(), it.schema())
    }));
    objects.extend(provider.ephemeral_resources().iter().map(|it| {
        let (folder, file) = ("ephemeral-resources", "ephemeral-resource.tf");
        Object::of(ObjectKind::Ephemeral, folder, file, it.type_name(), it.schema())
    }));
    objects.extend(provider.list_resources().iter().map(|it| {
        let (folder, file) = ("list-resources", "list-resource.tfquery.hcl");
        Object::of(ObjectKind::List, folder, file, it.type_name(), it.schema())
    }));
    objects.extend(
        provider
            .actions()
            .iter()
            .map(|it| Object::of(ObjectKind::Action, "actions", "action.tf", it.type_name(), it.schema())),
    );
    objects
}

/// The pages of the functions, by their path.
fn function_pages(provider: &KamajiProvider) -> BTreeMap<String, String> {
    let pages = provider.functions().into_iter().map(|function| {
        let name = function.name();
        let example = format!("examples/functions/{name}/function.tf");
        let example = text(&example).unwrap_or_else(|| panic!("{example} is missing: write an example"));
        (format!("docs/functions/{name}.md"), function::docs::page("kamaji", function, &[("", &example)]))
    });
    pages.collect()
}

/// Pages that no object has, by their path.
fn orphans(pages: &BTreeMap<String, String>) -> Vec<String> {
    let files = FOLDERS.iter().flat_map(|folder| {
        let found = fs::read_dir(root().join("docs").join(folder)).into_iter().flatten().flatten();
        found.map(move |file| format!("docs/{folder}/{}", file.file_name().to_string_lossy()))
    });
    files.filter(|file| !pages.contains_key(file)).collect()
}

fn update(pages: &BTreeMap<String, String>, orphans: &[String]) -> io::Result<()> {
    for (path, page) in pages {
        let path = root().join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, page)?;
    }
    orphans.iter().try_for_each(|path| fs::remove_file(root().join(path)))
}

#[test]
fn the_pages_say_what_the_schemas_say() -> io::Result<()> {
    let provider = KamajiProvider::new();
    let mut pages: BTreeMap<String, String> =
        objects(&provider).iter().map(|object| (object.page.clone(), object.render())).collect();
    pages.extend(function_pages(&provider));
    let orphans = orphans(&pages);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return update(&pages, &orphans);
    }
    let stale: Vec<&String> =
        pages.iter().filter(|(path, page)| text(path).as_ref() != Some(*page)).map(|(path, _)| path).collect();
    assert!(
        stale.is_empty() && orphans.is_empty(),
        "missing or out of date: {stale:?}; of no object: {orphans:?}. Run `make docs` and commit docs/"
    );
    Ok(())
}

#[test]
fn every_attribute_has_a_description_and_every_default_is_on_its_page() {
    fn each(attributes: &[Attribute], path: &str, page: &str, wrong: &mut Vec<String>) {
        for attribute in attributes {
            let path = format!("{path}.{}", attribute.name);
            if attribute.description.trim().is_empty() {
                wrong.push(format!("{path}: no description"));
            }
            if attribute.default.is_some_and(|default| !page.contains(&format!("Default: `{default}`"))) {
                wrong.push(format!("{path}: its default is not on the page"));
            }
            if attribute.default.is_some() && attribute.mode == Mode::Required {
                wrong.push(format!("{path}: required, and has a default"));
            }
            each(attribute.nested(), &path, page, wrong);
        }
    }
    let provider = KamajiProvider::new();
    let mut wrong = Vec::new();
    for object in objects(&provider) {
        each(&object.schema.attributes, object.type_name, &object.render(), &mut wrong);
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Every page of the documentation: path below `docs`, and text.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let docs = root().join("docs");
    let folders = fs::read_dir(&docs).expect("docs").flatten().map(|entry| entry.path());
    for folder in folders.filter(|path| path.is_dir()).chain([docs.clone()]) {
        for file in fs::read_dir(folder).expect("a folder").flatten().filter(|file| file.path().is_file()) {
            let path = file.path().strip_prefix(&docs).expect("inside").display().to_string();
            pages.insert(path, fs::read_to_string(file.path()).expect("readable"));
        }
    }
    pages
}

/// The headings of a page, outside of code.
fn headings(page: &str) -> Vec<&str> {
    let mut in_code = false;
    let lines = page.lines().filter(|line| {
        in_code ^= line.starts_with("```");
        !in_code && line.starts_with('#')
    });
    lines.collect()
}

/// What the Registry wants of a page: front matter, a title, a description, nothing beyond its size.
#[test]
fn every_page_is_one_for_the_registry() {
    let mut wrong = Vec::new();
    for (path, page) in pages() {
        let mut rule = |holds: bool, problem: &str| {
            if !holds {
                wrong.push(format!("{path}: {problem}"));
            }
        };
        let front = page.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
        let (front, body) = front.unwrap_or_default();
        let field = |name: &str| front.lines().any(|line| line.starts_with(name));
        rule(!front.is_empty(), "no front matter");
        rule(field("page_title: \""), "no page_title");
        rule(field("description: |-"), "no description");
        rule(!field("layout") && !field("sidebar_current"), "front matter of the old layout");
        rule(path == "index.md" || path.starts_with("guides/") || field("subcategory: \"\""), "no subcategory");
        rule(path.ends_with(".md"), "not Markdown");
        rule(page.len() < 250_000, "too large");
        rule(page.ends_with('\n') && !page.ends_with("\n\n"), "its end");
        let headings = headings(body);
        rule(headings.first().is_some_and(|first| first.starts_with("# ")), "does not begin with its heading");
        rule(headings.iter().filter(|heading| heading.starts_with("# ")).count() == 1, "not one first heading");
        let mut level = 0;
        for heading in &headings {
            let depth = heading.chars().take_while(|&c| c == '#').count();
            rule(depth <= level + 1, &format!("a level is left out before {heading:?}"));
            level = depth;
        }
        let fences = body.lines().filter(|line| line.trim_start().starts_with("```")).count();
        rule(fences % 2 == 0, "code without an end");
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A heading as GitHub and the Registry make an anchor of it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// Links inside the repository lead somewhere, to the anchor.
#[test]
fn every_link_leads_somewhere() {
    let mut documents: BTreeMap<String, String> =
        pages().into_iter().map(|(path, page)| (format!("docs/{path}"), page)).collect();
    for path in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] {
        documents.insert(path.to_owned(), text(path).unwrap_or_else(|| panic!("{path} is missing")));
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, document) in &documents {
        let outside_code = document.split("```").step_by(2).collect::<String>();
        for link in outside_code.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            count += 1;
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join(path);
            let target = if file.is_empty() { folder } else { folder.with_file_name(file) };
            let Ok(target) = target.canonicalize() else {
                wrong.push(format!("{path}: {link}"));
                continue;
            };
            let there = || {
                let page = fs::read_to_string(&target).unwrap_or_default();
                page.contains(&format!("<a id=\"{fragment}\"></a>"))
                    || headings(&page).into_iter().any(|heading| anchor(heading) == fragment)
            };
            if !fragment.is_empty() && !there() {
                wrong.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(count > 500, "{count} links");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Whoever sees an error searches for its title.
#[test]
fn every_error_has_its_heading_in_the_troubleshooting_page() {
    let titles = titles::Titles::find(root());
    assert!(titles.certain.len() > 300, "{} titles", titles.certain.len());
    let page = text("docs/guides/troubleshooting.md").expect("the page");
    let headings: BTreeSet<String> =
        headings(&page).into_iter().filter_map(|heading| heading.strip_prefix("### ").map(str::to_owned)).collect();
    let missing: Vec<&String> = titles.certain.difference(&headings).collect();
    let stale: Vec<&String> = headings.difference(&titles.possible).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "docs/guides/troubleshooting.md has no heading for {missing:#?}\nand nothing in the code says {stale:#?}\nWrite what the \
         error means and what to do, or list in tests/docs/titles.rs what is no title"
    );
}

/// A call names a function that exists, and every function is called in its example.
#[test]
fn every_function_is_called_where_it_is_described() {
    let provider = KamajiProvider::new();
    for (path, page) in function_pages(&provider) {
        let name = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy();
        assert!(page.contains(&format!("provider::kamaji::{name}(")), "{path}");
    }
}

#[test]
fn every_import_command_is_the_one_on_the_page() {
    let provider = KamajiProvider::new();
    for object in objects(&provider) {
        if let Some(script) = text(Path::new(&object.example).with_file_name("import.sh")) {
            let command = script.lines().find(|line| line.starts_with("terraform import")).unwrap_or_default();
            assert!(!command.is_empty() && object.render().contains(command), "{}: {command:?}", object.type_name);
        }
    }
}

/// Words in `code` of the guides that look like attributes or types are some: a rename must not leave them behind.
#[test]
fn the_guides_speak_of_attributes_that_exist() {
    fn names(attributes: &[Attribute], all: &mut BTreeSet<String>) {
        for attribute in attributes {
            all.insert(attribute.name.to_owned());
            names(attribute.nested(), all);
        }
    }
    /// Arguments of Terraform itself, types of other providers, and examples' own names.
    const OTHERS: [&str; 11] = [
        "authorized_keys",
        "for_each",
        "create_before_destroy",
        "depends_on",
        "replace_triggered_by",
        "prevent_destroy",
        "ignore_changes",
        "kubernetes_manifest",
        "kubectl_manifest",
        "main",
        "name",
    ];
    /// What Terraform's `-json` says, what the log says at the end of a run, arguments of Ansible's module.
    const IN_PIPELINES: &str = "planned_change apply_progress apply_complete apply_errored change_summary requests \
        requests_to_management_cluster requests_to_tenants requests_repeated management_clusters sent_bytes received_bytes \
        waited_ms run_ms force_init complex_vars";
    let provider = KamajiProvider::new();
    let others = OTHERS.into_iter().chain(IN_PIPELINES.split_whitespace());
    let mut known: BTreeSet<String> = others.map(str::to_owned).collect();
    known.extend(provider.functions().iter().map(|function| function.name().to_owned()));
    for object in objects(&provider) {
        known.insert(object.type_name.to_owned());
        names(&object.schema.attributes, &mut known);
    }
    let is_path = |word: &&str| {
        word.contains('_')
            && word.len() > 1
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.')
    };
    let mut wrong = Vec::new();
    for file in fs::read_dir(root().join("docs/guides")).expect("guides").flatten() {
        let guide = fs::read_to_string(file.path()).expect("readable");
        let code =
            guide.split('`').skip(1).step_by(2).flat_map(|code| code.split([' ', '(', ')', '{', '}', ',', '\n']));
        for word in code.filter(is_path) {
            if !word.split('.').filter(|name| name.contains('_')).all(|name| known.contains(name)) {
                wrong.push(format!("{}: {word}", file.file_name().to_string_lossy()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
