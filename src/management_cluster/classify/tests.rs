use serde_json::json;

use super::*;

fn asked() -> Asked {
    Asked { kind: Kind::TenantControlPlane, namespace: Some("tenants".into()), name: "a".into() }
}

fn status(code: u16, reason: &str, message: &str, details: serde_json::Value) -> (ApiError, Again) {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": message, "details": details});
    classify(&asked(), code, body.to_string().as_bytes())
}

#[test]
fn only_a_not_found_with_the_name_means_that_the_object_is_gone() {
    let gone = json!({"name": "a", "group": "kamaji.clastix.io", "kind": "tenantcontrolplanes"});
    assert_eq!(status(404, "NotFound", "…", gone).0, ApiError::NotFound(asked().object()));
    for (error, _) in [
        status(404, "NotFound", "the server could not find the requested resource", json!({})),
        classify(&asked(), 404, b"404 page not found\n"),
    ] {
        assert_eq!(error, ApiError::NoSuchApi { kind: Kind::TenantControlPlane });
    }
    let (error, _) = classify(&asked(), 404, b"<html>no such site</html>");
    assert!(matches!(error, ApiError::Other { status: 404, .. }), "{error:?}");
}

#[test]
fn a_missing_namespace_is_named() {
    let (error, _) = status(404, "NotFound", "…", json!({"name": "tenants", "kind": "namespaces"}));
    assert_eq!(error, ApiError::NamespaceMissing { name: "tenants".into() });
}

#[rstest::rstest]
#[case(
    "conflict with \"kubectl-label\" using kamaji.clastix.io/v1alpha1",
    "kubectl-label",
    None,
    OwnerOperation::Update,
    None
)]
#[case(
    "conflict with \"kubectl\" with subresource \"scale\" using autoscaling/v1 at 2026-11-24T10:00:00Z",
    "kubectl",
    Some("scale"),
    OwnerOperation::Update,
    Some("2026-11-24T10:00:00Z")
)]
#[case("conflict with \"argocd-controller\"", "argocd-controller", None, OwnerOperation::Apply, None)]
fn a_conflict_names_the_owner(
    #[case] message: &str,
    #[case] manager: &str,
    #[case] subresource: Option<&str>,
    #[case] operation: OwnerOperation,
    #[case] time: Option<&str>,
) {
    let cause = json!({"reason": "FieldManagerConflict", "message": message, "field": ".spec.x"});
    let (error, again) = status(409, "Conflict", "Apply failed with 1 conflict", json!({"causes": [cause]}));
    let expected = FieldConflict {
        field: ".spec.x".into(),
        manager: manager.into(),
        subresource: subresource.map(Into::into),
        operation,
        time: time.map(Into::into),
        message: message.into(),
    };
    assert_eq!((error, again), (ApiError::FieldConflict(vec![expected]), Again::Never));
}

#[test]
fn a_409_without_field_managers_is_a_failed_precondition() {
    let (error, _) = status(409, "Conflict", "the object has been modified", json!({}));
    assert!(matches!(error, ApiError::Conflict { .. }));
    let (error, _) = status(409, "AlreadyExists", "a already exists", json!({"name": "a"}));
    assert!(matches!(error, ApiError::AlreadyExists { .. }));
}

#[rstest::rstest]
#[case(
    403,
    "admission webhook \"vtenantcontrolplane.kb.io\" denied the request: unable to downgrade",
    "unable to downgrade"
)]
#[case(422, "admission webhook \"vtenantcontrolplane.kb.io\" denied the request: bad: value", "bad: value")]
#[case(
    400,
    "admission webhook \"vtenantcontrolplane.kb.io\" denied the request without explanation",
    "without explanation"
)]
fn a_denial_is_a_denial_with_every_status(#[case] code: u16, #[case] message: &str, #[case] why: &str) {
    let expected = ApiError::WebhookDenied { webhook: "vtenantcontrolplane.kb.io".into(), message: why.to_owned() };
    assert_eq!(status(code, "Forbidden", message, json!({})), (expected, Again::Never));
}

#[test]
fn a_missing_right_is_read_from_the_message() {
    let message = "tenantcontrolplanes.kamaji.clastix.io \"a\" is forbidden: User \"ci\" cannot create resource \
        \"tenantcontrolplanes\" in API group \"kamaji.clastix.io\" in the namespace \"tenants\"";
    let (error, _) = status(403, "Forbidden", message, json!({"name": "a"}));
    let ApiError::Forbidden { permission: Some(permission), .. } = error else { panic!("{error:?}") };
    assert_eq!(permission.verb, "create");
    assert_eq!(permission.resource, "tenantcontrolplanes");
    assert_eq!(permission.group, "kamaji.clastix.io");
    assert_eq!(permission.namespace.as_deref(), Some("tenants"));

    let (error, _) = status(403, "Forbidden", "not today", json!({}));
    assert!(matches!(error, ApiError::Forbidden { permission: None, .. }));
}

#[test]
fn a_quota_and_a_namespace_that_goes_are_no_missing_rights() {
    let message = "tenantcontrolplanes.kamaji.clastix.io \"a\" is forbidden: exceeded quota: q, requested: count/x=1, \
        used: count/x=2, limited: count/x=2";
    let excess = "requested: count/x=1, used: count/x=2, limited: count/x=2".to_owned();
    let (error, _) = status(403, "Forbidden", message, json!({}));
    assert_eq!(error, ApiError::QuotaExceeded { quota: "q".into(), excess });
    let causes = json!({"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace",
        "message": "namespace tenants is being terminated"}]});
    let (error, _) = status(403, "Forbidden", "… because it is being terminated", causes);
    assert_eq!(error, ApiError::NamespaceTerminating { name: "tenants".into() });
}

#[rstest::rstest]
#[case(403, "Forbidden")]
#[case(422, "Invalid")]
fn a_policy_denies_with_any_status(#[case] code: u16, #[case] reason: &str) {
    let message = "tenantcontrolplanes.kamaji.clastix.io \"a\" is forbidden: ValidatingAdmissionPolicy 'teams' with \
        binding 'all' denied request: metadata.labels must have 'team'";
    let expected =
        ApiError::PolicyDenied { policy: "teams".into(), message: "metadata.labels must have 'team'".into() };
    assert_eq!(status(code, reason, message, json!({"causes": [{"message": "x"}]})), (expected, Again::Never));
}

#[test]
fn fields_that_the_crd_lacks_are_named_whatever_the_form() {
    let one = "failed to create typed patch object (tenants/a; kamaji.clastix.io/v1alpha1, Kind=TenantControlPlane): \
        .spec.networkProfile.bogus: field not declared in schema";
    assert_eq!(
        status(500, "", one, json!({})),
        (ApiError::UnknownField { paths: vec![".spec.networkProfile.bogus".into()] }, Again::Never)
    );
    let two = "failed to create typed patch object (tenants/a; x/v1, Kind=Y): errors:\n  .spec.a: field not declared \
        in schema\n  .spec.b[0].c: field not declared in schema";
    assert_eq!(
        status(500, "", two, json!({})).0,
        ApiError::UnknownField { paths: vec![".spec.a".into(), ".spec.b[0].c".into()] }
    );
    let strict = "TenantControlPlane in version \"v1alpha1\" cannot be handled as a TenantControlPlane: strict \
        decoding error: unknown field \"spec.a\", unknown field \"spec.b\"";
    assert_eq!(
        status(400, "BadRequest", strict, json!({})).0,
        ApiError::UnknownField { paths: vec!["spec.a".into(), "spec.b".into()] }
    );
}

#[test]
fn a_refused_object_is_not_repeated_whole() {
    let object = "x".repeat(20_000);
    let message = format!("Invalid value: \"{object}\": strict decoding error: unknown field \"spec.bogus\"");
    let causes = json!({"causes": [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]});
    let whole = format!("TenantControlPlane \"a\" is invalid: patch: {message}");
    assert_eq!(status(422, "Invalid", &whole, causes).0, ApiError::UnknownField { paths: vec!["spec.bogus".into()] });
    let message = format!("Invalid value: \"{object}\": must be small");
    let causes = json!({"causes": [{"reason": "FieldValueInvalid", "message": message, "field": "spec"}]});
    let (error, _) = status(422, "Invalid", "…", causes);
    let ApiError::Invalid(fields) = error else { panic!("{error:?}") };
    assert!(fields[0].message.len() < 500 && fields[0].message.ends_with("must be small"), "{}", fields[0].message);
}

#[test]
fn a_wrong_type_under_server_side_apply_is_an_invalid_field() {
    let message = "failed to create typed patch object (tenants/a; x/v1, Kind=Y): .spec.replicas: expected numeric \
        (int or float), got string";
    let expected = vec![InvalidField {
        field: ".spec.replicas".into(),
        message: "expected numeric (int or float), got string".into(),
    }];
    assert_eq!(status(500, "", message, json!({})), (ApiError::Invalid(expected), Again::Never));
}

#[test]
fn a_webhook_that_does_not_answer_is_asked_again_and_other_500s_are_not() {
    let message = "Internal error occurred: failed calling webhook \"mtenantcontrolplane.kb.io\": failed to call \
        webhook: Post \"https://kamaji-webhook-service\": connection refused";
    let (error, again) = status(500, "InternalError", message, json!({}));
    assert!(
        matches!(error, ApiError::WebhookUnavailable { ref webhook, .. } if webhook == "mtenantcontrolplane.kb.io")
    );
    assert_eq!(again, Again::Always);
    assert_eq!(status(500, "InternalError", "boom", json!({})).1, Again::Never);
}

#[rstest::rstest]
#[case(429, Again::Always)]
#[case(502, Again::IfIdempotent)]
#[case(503, Again::IfIdempotent)]
#[case(504, Again::IfIdempotent)]
#[case(401, Again::Never)]
#[case(403, Again::Never)]
fn the_http_status_decides_when_the_body_is_no_status(#[case] code: u16, #[case] expected: Again) {
    for body in ["", "{\"error\":\"x\"}", "<html>", "upstream connect error"] {
        let (error, again) = classify(&asked(), code, body.as_bytes());
        assert_eq!(again, expected, "{code} {body} {error:?}");
    }
}

#[test]
fn odd_causes_are_kept() {
    let causes =
        json!({"causes": [{"reason": "FieldValueInvalid", "message": "Invalid value: \"null\"", "field": "<nil>"}]});
    let (error, _) = status(422, "Invalid", "…", causes);
    assert!(matches!(error, ApiError::Invalid(ref fields) if fields[0].field == "<nil>"));
    assert!(matches!(status(422, "Invalid", "bad", json!({})).0, ApiError::Invalid(ref f) if f[0].message == "bad"));
}

#[test]
fn the_remark_that_rules_were_left_out_is_no_mistake_of_its_own() {
    let remark = "Invalid value: null: some validation rules were not checked because the object was invalid; correct \
        the existing errors to complete validation";
    let remark = json!({"reason": "FieldValueInvalid", "message": remark, "field": "<nil>"});
    let cause = json!({"reason": "FieldValueTooLong", "message": "Too long", "field": "metadata.annotations"});
    let (error, _) = status(422, "Invalid", "…", json!({"causes": [cause, remark]}));
    let expected = vec![InvalidField { field: "metadata.annotations".into(), message: "Too long".into() }];
    assert_eq!(error, ApiError::Invalid(expected));
    let (error, _) = status(422, "Invalid", "…", json!({"causes": [remark]}));
    assert!(matches!(error, ApiError::Invalid(ref fields) if fields.len() == 1));
}

proptest::proptest! {
    #[test]
    fn no_answer_is_a_panic(code in 0_u16..700, body in ".*", message in ".*") {
        let _ = classify(&asked(), code, body.as_bytes());
        let _ = status(code, "Forbidden", &message, json!({}));
    }
}

#[test]
fn a_disruption_budget_is_named_and_no_overload() {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let budget = "The disruption budget web needs 1 healthy pods and has 1 currently";
    let causes = json!({"causes": [{"reason": "DisruptionBudget", "message": format!("{budget}.")}]});
    assert_eq!(
        status(429, "TooManyRequests", message, causes),
        (ApiError::DisruptionBudget { message: budget.to_owned() }, Again::Never)
    );
    assert_eq!(status(429, "TooManyRequests", "slow down", json!({})).1, Again::Always);
}
