//! Provider-defined functions: pure, without a configuration of the provider and without a request.
//!
//! Core calls them in `validate`, `plan`, `apply` and `console`, many times and at once, and compares the results for equal
//! arguments; so a result depends on the arguments alone.

mod arguments;
pub mod check;
pub mod docs;
pub mod wire;

use crate::schema::{Attribute, Kind, Mode, Problem, validate};
use crate::value::{Type, Value};

/// A function.
pub trait Function: Send + Sync {
    /// Its name, called as `provider::<provider>::<name>`.
    fn name(&self) -> &'static str;

    /// What it takes and gives.
    fn signature(&self) -> &Signature;

    /// The result. The arguments are of their types, known, not null where that is not allowed, and keep the rules of
    /// their parameters.
    fn call(&self, arguments: &Arguments) -> Result<Value, FunctionError>;
}

/// What a function takes and gives, described once: for the wire, for the checks of arguments and for the documentation.
#[derive(Debug)]
pub struct Signature {
    /// What it does, in one line.
    pub summary: &'static str,
    /// What it does, in Markdown.
    pub description: &'static str,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
    /// Its parameters in order.
    pub parameters: Vec<Parameter>,
    /// What may follow any number of times.
    pub variadic: Option<Parameter>,
    /// What it gives. The name is not seen.
    pub result: Attribute,
}

impl Signature {
    /// A function of these parameters.
    pub fn new(
        summary: &'static str,
        description: &'static str,
        parameters: Vec<Attribute>,
        result: Attribute,
    ) -> Self {
        let parameters = parameters.into_iter().map(Parameter::from).collect();
        Self { summary, description, deprecated: None, parameters, variadic: None, result }
    }

    /// The same, and this one any number of times.
    #[must_use]
    pub fn variadic(mut self, parameter: Attribute) -> Self {
        self.variadic = Some(parameter.into());
        self
    }

    /// Whether a call may have so many arguments.
    pub(crate) fn check_count(&self, count: usize) -> Result<(), FunctionError> {
        let wanted = self.parameters.len();
        if count == wanted || (count > wanted && self.variadic.is_some()) {
            return Ok(());
        }
        let least = if self.variadic.is_some() { "at least " } else { "" };
        Err(FunctionError::new(format!("The number of arguments is {least}{wanted}, and {count} are given.")))
    }

    /// The parameter of an argument.
    pub(crate) fn parameter(&self, index: usize) -> Option<&Parameter> {
        self.parameters.get(index).or(self.variadic.as_ref())
    }
}

/// A parameter. An optional attribute is one that may be null; the attributes inside an object are optional as they say.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name, shape, description and rules.
    pub attribute: Attribute,
    /// Whether the function is called with unknown arguments. Otherwise core takes the result as unknown.
    pub allow_unknown: bool,
}

impl From<Attribute> for Parameter {
    fn from(attribute: Attribute) -> Self {
        Self { attribute, allow_unknown: false }
    }
}

impl Parameter {
    /// Whether null is an argument.
    pub fn allow_null(&self) -> bool {
        self.attribute.mode != Mode::Required
    }

    /// The type that core converts arguments to. An object in which something may be left out is of any type: core would
    /// insist on every attribute, and drop misspelled ones without a word.
    pub fn wire_type(&self) -> Type {
        if has_optional(&self.attribute.kind) { Type::Dynamic } else { self.attribute.value_type() }
    }
}

fn has_optional(kind: &Kind) -> bool {
    match kind {
        Kind::Value(_) => false,
        Kind::Object(inner) | Kind::ListOf(inner) | Kind::SetOf(inner) | Kind::MapOf(inner) => {
            inner.iter().any(|attribute| attribute.mode != Mode::Required || has_optional(&attribute.kind))
        }
    }
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// What is wrong, with what value, and what to do. No secret belongs into it.
    pub text: String,
    /// The argument that is at fault, from 0; variadic ones count on.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// An error of the call as a whole.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), argument: None }
    }

    /// The same, of an argument.
    #[must_use]
    pub fn at(mut self, argument: usize) -> Self {
        self.argument = Some(argument);
        self
    }
}

impl From<Problem> for FunctionError {
    fn from(problem: Problem) -> Self {
        Self::new(problem.detail)
    }
}

/// The arguments of a call.
#[derive(Clone, Debug)]
pub struct Arguments(Vec<Value>);

impl Arguments {
    /// Arguments as they are, for tests of functions.
    pub fn new(arguments: impl IntoIterator<Item = Value>) -> Self {
        Self(arguments.into_iter().collect())
    }

    /// Takes what core sent: brings it into the shape of the parameters and applies their rules. Nothing if something is
    /// unknown that the function does not take: then the result is unknown.
    ///
    /// # Errors
    /// The first argument that is wrong, with all that is wrong with it.
    pub fn of(signature: &Signature, sent: Vec<Value>) -> Result<Option<Self>, FunctionError> {
        signature.check_count(sent.len())?;
        let mut arguments = Vec::with_capacity(sent.len());
        let mut unknown = false;
        for (index, value) in sent.into_iter().enumerate() {
            let Some(parameter) = signature.parameter(index) else { continue };
            let Parameter { attribute, allow_unknown } = parameter;
            unknown |= !allow_unknown && !value.is_wholly_known();
            let value = arguments::shaped(attribute, value).map_err(|text| FunctionError::new(text).at(index))?;
            let found = validate::validate_value(attribute, &value);
            if found.has_errors() {
                return Err(FunctionError::new(found.texts()).at(index));
            }
            arguments.push(value);
        }
        Ok((!unknown).then_some(Self(arguments)))
    }

    /// An argument; null if there is none.
    pub fn get(&self, index: usize) -> &Value {
        self.0.get(index).unwrap_or(&Value::Null)
    }

    /// The text of an argument; empty if it is not a known string.
    pub fn text(&self, index: usize) -> &str {
        self.get(index).as_str().unwrap_or_default()
    }

    /// The arguments from one on: the variadic ones.
    pub fn from(&self, index: usize) -> &[Value] {
        self.0.get(index..).unwrap_or_default()
    }

    /// Reads the text of an argument.
    ///
    /// # Errors
    /// What is wrong with it, at the argument.
    pub fn read<T>(&self, index: usize, read: impl FnOnce(&str) -> Result<T, Problem>) -> Result<T, FunctionError> {
        read(self.text(index)).map_err(|problem| FunctionError::from(problem).at(index))
    }
}

#[cfg(test)]
mod tests;
