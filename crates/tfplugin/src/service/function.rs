//! Functions. An answer carries one text, and no warnings.

use std::sync::Arc;

use super::guard::about;
use super::{Inner, dynamic};
use crate::diagnostics::{Diagnostics, shortened};
use crate::function::wire::signature_to_proto;
use crate::function::{Arguments, Function, FunctionError};
use crate::proto::tfplugin6 as wire;
use crate::proto::tfplugin6::DynamicValue;
use crate::value::{self, Value};

impl Inner {
    fn function(&self, name: &str) -> Result<&dyn Function, Diagnostics> {
        about("tf_function", name);
        let mut all = self.provider.functions().into_iter();
        all.find(|function| function.name() == name).ok_or_else(|| dynamic::unknown_type("function", name))
    }
}

pub(super) async fn get_functions(
    inner: Arc<Inner>,
    _request: wire::get_functions::Request,
) -> wire::get_functions::Response {
    let functions = inner.provider.functions().into_iter();
    let functions = functions.map(|function| (function.name().to_owned(), signature_to_proto(function.signature())));
    wire::get_functions::Response { functions: functions.collect(), diagnostics: Vec::new() }
}

pub(super) async fn call_function(
    inner: Arc<Inner>,
    request: wire::call_function::Request,
) -> wire::call_function::Response {
    type Response = wire::call_function::Response;
    let called = inner.function(&request.name).map_err(|diagnostics| FunctionError::new(diagnostics.texts()));
    match called.and_then(|function| call(function, &request.arguments)) {
        Ok(result) => Response { result: Some(result), error: None },
        Err(error) => Response { result: None, error: Some(error_to_proto(error)) },
    }
}

fn call(function: &dyn Function, sent: &[DynamicValue]) -> Result<DynamicValue, FunctionError> {
    let signature = function.signature();
    signature.check_count(sent.len())?;
    let mut arguments = Vec::with_capacity(sent.len());
    for (index, argument) in sent.iter().enumerate() {
        let Some(parameter) = signature.parameter(index) else { break };
        let read = dynamic::read_type("argument", Some(argument), &parameter.wire_type());
        arguments.push(read.map_err(|diagnostics| FunctionError::new(diagnostics.texts()).at(index))?);
    }
    let result = match Arguments::of(signature, arguments)? {
        Some(arguments) => function.call(&arguments)?,
        None => Value::Unknown,
    };
    let ty = signature.result.value_type();
    debug_assert_eq!(ty.stranger(&result), None, "the type of the result has no such attribute");
    Ok(DynamicValue { msgpack: value::encode(&result, &ty), json: Vec::new() })
}

/// Core makes the text the middle of a sentence of its own, and ends it.
fn error_to_proto(error: FunctionError) -> wire::FunctionError {
    let text = shortened(error.text.trim_end().trim_end_matches('.'));
    wire::FunctionError { text, function_argument: error.argument.and_then(|index| i64::try_from(index).ok()) }
}
