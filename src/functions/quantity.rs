//! `quantity_compare`.

use tfplugin::function::{FunctionError, Signature};
use tfplugin::schema::string;

use super::{Row, order, sign};
use crate::kamaji::quantity::{compare, validator};

pub(super) static COMPARE: Row = Row::new(
    "quantity_compare",
    || {
        let quantity = |name| string(name).required().rule(validator());
        Signature::new(
            "Compares two Kubernetes quantities.",
            "Compares two quantities as Kubernetes writes them, by amount: `1Gi` is `1024Mi` and more than `1G`, `500m` is \
             `0.5`. For `validation` and `precondition` blocks about resources of a control plane.",
            vec![quantity("quantity").doc("A quantity."), quantity("other").doc("Another one.")],
            order("-1 if `quantity` is less than `other`, 0 if both are the same amount, 1 if it is more."),
        )
    },
    |arguments| {
        let (one, other) = (arguments.text(0), arguments.text(1));
        let order = compare(one, other)
            .ok_or_else(|| FunctionError::new(format!("{one:?} and {other:?} are too large to be compared.")))?;
        Ok(sign(order))
    },
);
