//! Looking too early is an error, never a silent `false`.
//!
//! Rhai itself refuses `if handle`, `!handle`, `handle + 1` and `for x in handle`; `errors.rs` words these. What it
//! would let pass in silence is closed here: comparisons (registered for handles), string functions on a text with a
//! handle inside (wrapped), and `switch` and `??`: at the top level the script's tree is rewritten so that they call a
//! guard; in functions, whose bodies Rhai does not let go, the variables that they look at are watched.

use std::any::TypeId;
use std::sync::Arc;

use rhai::{
    AST, ASTNode, Dynamic, Engine, Expr, FnCallExpr, FuncRegistration, ImmutableString, Module,
    NativeCallContext, RhaiFunc, Stmt, StmtBlock,
};

use super::builder::{self, is_unknown};
use super::handle::Handle;
use crate::diagnostic::Diagnostic;

/// The guard's name.
const GUARD: &str = "look_at_known";

/// The error for a look at what is not known yet.
pub(crate) fn early_look(what: &str) -> Diagnostic {
    Diagnostic::new(
        "psprun::plan::early_look",
        format!("{what} looks at a result before the run that will give it"),
    )
    .help(
        "look in a closure, which is called when the result is there: `step.when(|| reply.status == 200)`, \
         `check(\"…\", || reply.status == 200)`, `reply.map(|r| r.body.len())`",
    )
}

/// Registers the guards of operators, string functions, `switch` and `??`.
pub(crate) fn register(engine: &mut Engine) {
    guard_operators(engine);
    guard_strings(engine);
    engine.register_raw_fn(GUARD, [TypeId::of::<Dynamic>()], |context, args| {
        if is_unknown(args[0]) {
            return builder::with(&context, |_, _| Err::<Dynamic, _>(early_look("`switch` or `??`")));
        }
        Ok(args[0].clone())
    });
    #[expect(
        deprecated,
        reason = "Rhai marks its volatile interfaces so; the version is pinned by Cargo.lock"
    )]
    engine.on_var(|name, _, context| {
        if !builder::is_watched(name) {
            return Ok(None);
        }
        match context.scope().get(name) {
            Some(value) if is_unknown(value) => {
                Err(builder::raise_early(early_look("`switch` or `??` in a function")))
            }
            _ => Ok(None),
        }
    });
}

fn guard_operators(engine: &mut Engine) {
    let (handle, any) = (TypeId::of::<Handle>(), TypeId::of::<Dynamic>());
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        for types in [[handle, any], [any, handle], [handle, handle]] {
            engine.register_raw_fn(operator, types, move |context, _| {
                builder::with(&context, |_, _| {
                    Err::<bool, _>(early_look(&format!("`{operator}`")))
                })
            });
        }
    }
}

/// Wraps every standard function that takes a string.
fn guard_strings(engine: &mut Engine) {
    const PASS: [&str; 6] = ["+", "+=", "to_string", "print", "debug", "type_of"];
    let string = TypeId::of::<ImmutableString>();
    let plain = Arc::new(Engine::new());
    let mut guarded: Vec<(String, Vec<TypeId>)> = plain.collect_fn_metadata(
        None,
        |info| {
            let meta = info.metadata;
            let takes_text = meta.param_types.contains(&TypeId::of::<ImmutableString>());
            (takes_text && !PASS.contains(&meta.name.as_str()))
                .then(|| (meta.name.to_string(), meta.param_types.to_vec()))
        },
        true,
    );
    // These are built into the evaluator and have no metadata.
    for operator in ["==", "!=", "<", "<=", ">", ">="] {
        guarded.push((operator.to_owned(), vec![string, string]));
    }
    let mut module = Module::new();
    for (name, types) in guarded {
        let plain = plain.clone();
        let shown = name.trim_start_matches("get$").to_owned();
        let call = {
            let name = name.clone();
            move |context: Option<NativeCallContext>, args: &mut [&mut Dynamic]| {
                if let Some(context) = &context
                    && args.iter().any(|arg| is_unknown(arg))
                {
                    return builder::with(context, |_, _| Err(early_look(&format!("`{shown}`"))));
                }
                let global = plain.new_global_runtime_state();
                let position = context.map_or(rhai::Position::NONE, |context| context.call_position());
                let inner = NativeCallContext::from((&*plain, name.as_str(), None, &global, position));
                inner.call_native_fn_raw(&name, true, args)
            }
        };
        FuncRegistration::new(name)
            .in_global_namespace()
            .set_into_module_raw(
                &mut module,
                types,
                RhaiFunc::Method {
                    func: Arc::new(call),
                    has_context: true,
                    is_pure: false,
                    is_volatile: false,
                },
            );
    }
    engine.register_global_module(module.into());
}

/// Puts the guard around the subject of every `switch` and the left side of every `??`, and lets closures copy what they
/// capture.
pub(crate) fn rewrite(engine: &Engine, ast: &AST) -> AST {
    let Some(template) = template(engine) else {
        return ast.clone();
    };
    let guard = Guard { template };
    let mut statements = ast.statements().to_vec();
    guard.statements(&mut statements);
    match ast.source() {
        Some(source) => AST::new_with_source(statements, ast.shared_lib().clone(), source),
        None => AST::new(statements, ast.shared_lib().clone()),
    }
}

/// The variables whose value a `switch` or `??` in a function looks at.
pub(crate) fn watched(ast: &AST) -> Vec<String> {
    let mut names = Vec::new();
    AST::new_from_module(ast.shared_lib().clone()).walk(&mut |nodes| {
        let subject = match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Switch(parts, _))) => Some(&parts.0),
            Some(ASTNode::Expr(Expr::Coalesce(parts, _))) => parts.first(),
            _ => None,
        };
        if let Some(name) = subject.and_then(root) {
            names.push(name.to_owned());
        }
        true
    });
    names
}

/// The variable at the start of `a.b["c"]`.
fn root(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Variable(variable, ..) => Some(&variable.1),
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => root(&pair.lhs),
        _ => None,
    }
}

/// A call of the guard, made by the parser itself so that its hashes are right.
fn template(engine: &Engine) -> Option<FnCallExpr> {
    let ast = engine.compile_expression(format!("{GUARD}(0)")).ok()?;
    let mut found = None;
    ast.walk(&mut |nodes| {
        if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) =
            nodes.last()
        {
            found = Some((**call).clone());
        }
        true
    });
    found
}

struct Guard {
    template: FnCallExpr,
}

impl Guard {
    fn wrap(&self, expr: &mut Expr) {
        let position = expr.position();
        let mut call = self.template.clone();
        call.args[0] = std::mem::take(expr);
        *expr = Expr::FnCall(Box::new(call), position);
    }

    fn statements(&self, statements: &mut [Stmt]) {
        statements
            .iter_mut()
            .for_each(|statement| self.statement(statement));
    }

    fn block(&self, block: &mut StmtBlock) {
        self.statements(block.statements_mut());
    }

    fn statement(&self, statement: &mut Stmt) {
        match statement {
            Stmt::Switch(parts, _) => {
                self.expr(&mut parts.0);
                self.wrap(&mut parts.0);
                for case in &mut parts.1.expressions {
                    self.expr(&mut case.lhs);
                    self.expr(&mut case.rhs);
                }
            }
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) | Stmt::TryCatch(flow, _) => {
                self.flow(flow)
            }
            Stmt::For(parts, _) => self.flow(&mut parts.2),
            Stmt::Var(parts, ..) => self.expr(&mut parts.1),
            Stmt::Assignment(parts) => {
                self.expr(&mut parts.1.lhs);
                self.expr(&mut parts.1.rhs);
            }
            Stmt::FnCall(call, _) => call.args.iter_mut().for_each(|arg| self.expr(arg)),
            Stmt::Block(block) => self.block(block),
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::BreakLoop(Some(expr), ..) | Stmt::Return(Some(expr), ..) => self.expr(expr),
            Stmt::Import(parts, _) => self.expr(&mut parts.0),
            // A closure gets copies of what it captures. Shared variables would be locked while a chain of calls goes on
            // from one, so that `cluster.get("pods").when(|| cluster.created)` could not even be written.
            Stmt::Share(_) => *statement = Stmt::Noop(rhai::Position::NONE),
            _ => {}
        }
    }

    fn flow(&self, flow: &mut rhai::FlowControl) {
        self.expr(&mut flow.expr);
        self.block(&mut flow.body);
        self.block(&mut flow.branch);
    }

    fn expr(&self, expr: &mut Expr) {
        match expr {
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter_mut().for_each(|part| self.expr(part));
            }
            Expr::Map(parts, _) => parts.0.iter_mut().for_each(|(_, item)| self.expr(item)),
            Expr::MethodCall(call, _) | Expr::FnCall(call, _) => {
                call.args.iter_mut().for_each(|arg| self.expr(arg))
            }
            Expr::Stmt(block) => self.block(block),
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
                self.expr(&mut pair.lhs);
                self.expr(&mut pair.rhs);
            }
            Expr::And(parts, _) | Expr::Or(parts, _) => parts.iter_mut().for_each(|part| self.expr(part)),
            Expr::Coalesce(parts, _) => {
                parts.iter_mut().for_each(|part| self.expr(part));
                let last = parts.len().saturating_sub(1);
                parts.iter_mut().take(last).for_each(|part| self.wrap(part));
            }
            _ => {}
        }
    }
}
