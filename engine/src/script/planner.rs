//! The way from a playbook to a plan.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{AST, Engine, OptimizationLevel, Scope};

use super::builder::{self, Builder};
use super::closure::Closures;
use super::modules::Modules;
use super::sources::Sources;
use super::{Param, Values, combine, errors, functions, limits, look, modifiers, names, params, words};
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, check_cycles};
use crate::registry::Registry;
use crate::secrets::Secrets;

/// A playbook's main script, and where its modules and files are.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// The path as it is shown to people.
    pub name: Arc<str>,
    /// The script.
    pub script: String,
    /// The folder of the playbook's modules and files; `None` for one that ships in the library.
    pub folder: Option<PathBuf>,
}

impl Playbook {
    /// Reads a playbook from disk; its folder becomes its root.
    ///
    /// # Errors
    /// It cannot be read, is a folder, or is no UTF-8.
    pub fn open(path: &Path) -> Result<Self, Diagnostic> {
        let unreadable = |why: String| {
            Diagnostic::new(
                "psprun::playbook::unreadable",
                format!("cannot read the playbook `{}`: {why}", path.display()),
            )
        };
        let meta = std::fs::metadata(path).map_err(|error| unreadable(plain_io(&error)))?;
        if meta.is_dir() {
            return Err(unreadable("it is a folder".to_owned()).help("name the .rhai file in it"));
        }
        if meta.len() > limits::FILE_SIZE {
            return Err(unreadable(format!("it has {} MiB", meta.len() >> 20)));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(plain_io(&error)))?;
        let script = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
            unreadable(format!("line {line} is no UTF-8 text"))
        })?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Ok(Self {
            name: path.display().to_string().into(),
            script,
            folder: Some(folder),
        })
    }
}

fn plain_io(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Scripts and files that ship with a program: modules under `plugins/`, playbooks under `playbooks/`.
pub trait Library: Send + Sync {
    /// The content of a file, e.g. `plugins/cni/flannel.rhai`.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// All paths, sorted.
    fn paths(&self) -> Vec<String>;
}

/// Makes plans.
#[derive(Clone)]
pub struct Planner {
    registry: Arc<Registry>,
    library: Option<Arc<dyn Library>>,
}

/// What an evaluation gave.
struct Evaluation {
    builder: Builder,
    engine: Arc<Engine>,
    sources: Arc<Sources>,
    problems: Vec<Diagnostic>,
}

/// Stack of the thread that evaluates: deep brackets and calls within the limits must not overflow it.
const STACK: usize = 64 << 20;

impl Planner {
    /// A planner for the builtins of a registry.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            library: None,
        }
    }

    /// Also finds modules and files in a library.
    pub fn library(mut self, library: Arc<dyn Library>) -> Self {
        self.library = Some(library);
        self
    }

    /// Evaluates a playbook. Touches nothing but the playbook's own files.
    ///
    /// # Errors
    /// Everything that is wrong, at least one.
    pub fn plan(&self, playbook: &Playbook, values: &Values) -> Result<Plan, Vec<Diagnostic>> {
        let Evaluation {
            builder,
            engine,
            sources,
            problems,
        } = self.evaluate(playbook, values, false);
        if !problems.is_empty() {
            return Err(problems);
        }
        let plan = finish(builder, engine, sources, playbook.name.clone());
        let mut problems = check_cycles(&plan);
        if problems.is_empty() {
            problems = check_arguments(&plan);
        }
        if problems.is_empty() {
            Ok(plan)
        } else {
            Err(problems)
        }
    }

    /// The parameters that a playbook declares; those without a default get a stand-in value, so that the rest of the
    /// playbook can be seen.
    ///
    /// # Errors
    /// The playbook cannot be evaluated far enough to say.
    pub fn params(&self, playbook: &Playbook, values: &Values) -> Result<Vec<Param>, Vec<Diagnostic>> {
        let Evaluation {
            builder, problems, ..
        } = self.evaluate(playbook, values, true);
        // Other problems do not matter here, as long as there is something to list.
        let about_params = problems
            .iter()
            .any(|problem| problem.code.starts_with("psprun::param::"));
        if about_params || (builder.params.is_empty() && !problems.is_empty()) {
            Err(problems)
        } else {
            Ok(builder.params)
        }
    }

    /// The lines of a script that was used: a playbook or module by the name that a [`crate::Location`] has.
    pub fn source(&self, playbook: &Playbook, file: &str) -> Option<String> {
        if file == &*playbook.name {
            return Some(playbook.script.clone());
        }
        let from_library = self.library.as_ref().and_then(|library| library.read(file));
        let from_disk = || {
            let folder = playbook.folder.as_ref()?;
            let shown = Path::new(&*playbook.name).parent()?;
            let relative = Path::new(file).strip_prefix(shown).unwrap_or(Path::new(file));
            std::fs::read(folder.join(relative)).ok()
        };
        String::from_utf8(from_disk().or(from_library)?).ok()
    }

    fn evaluate(&self, playbook: &Playbook, values: &Values, lenient: bool) -> Evaluation {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name("planner".to_owned())
                .stack_size(STACK);
            match thread.spawn_scoped(scope, || self.evaluate_here(playbook, values, lenient)) {
                Ok(handle) => match handle.join() {
                    Ok(evaluation) => evaluation,
                    Err(panic) => std::panic::resume_unwind(panic),
                },
                // No thread to be had: the limits keep most playbooks well within any stack.
                Err(_) => self.evaluate_here(playbook, values, lenient),
            }
        })
    }

    fn evaluate_here(&self, playbook: &Playbook, values: &Values, lenient: bool) -> Evaluation {
        let sources = Arc::new(Sources::new(playbook, self.library.clone()));
        let engine = Arc::new(engine(&self.registry, &sources));
        let mut builder = Builder::new(sources.clone(), values.clone(), Arc::new(Secrets::default()));
        builder.lenient = lenient;
        let ast = match engine.compile(&playbook.script) {
            Ok(ast) => ast,
            Err(error) => {
                let problem = errors::diagnose(&error.into(), &playbook.name, Some(&self.registry));
                return Evaluation {
                    builder,
                    engine,
                    sources,
                    problems: vec![problem],
                };
            }
        };
        let (mut builder, (mut problems, scope)) =
            builder::evaluate(builder, || run(&engine, ast, playbook, &self.registry));
        // A script's `try` may have hidden what a function of ours raised.
        for raised in std::mem::take(&mut builder.problems) {
            if !problems
                .iter()
                .any(|known| known.code == raised.code && known.message == raised.message)
            {
                problems.push(raised);
            }
        }
        if problems.is_empty() {
            problems.extend(names::assign(&mut builder, &scope));
            problems.extend(params::unknown(&builder));
        } else if problems
            .iter()
            .all(|problem| problem.code == "psprun::param::missing")
        {
            // A misspelt name is the likely reason for a missing value.
            problems.extend(params::unknown(&builder));
        }
        Evaluation {
            builder,
            engine,
            sources,
            problems,
        }
    }
}

fn run(
    engine: &Engine,
    mut ast: AST,
    playbook: &Playbook,
    registry: &Registry,
) -> (Vec<Diagnostic>, Scope<'static>) {
    ast.set_source(&*playbook.name);
    limits::start();
    builder::watch(look::watched(&ast));
    let ast = look::rewrite(engine, &ast);
    let mut scope = Scope::new();
    let problems = match engine.run_ast_with_scope(&mut scope, &ast) {
        Ok(()) => Vec::new(),
        Err(error) => vec![errors::diagnose(&error, &playbook.name, Some(registry))],
    };
    (problems, scope)
}

/// The script engine with all that a playbook may use.
fn engine(registry: &Registry, sources: &Arc<Sources>) -> Engine {
    let mut engine = Engine::new();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        // A built-in `==` on texts would pass a text with a handle inside in silence.
        .set_fast_operators(false)
        .disable_symbol("eval")
        .set_module_resolver(Modules::new(sources.clone()));
    limits::set(&mut engine);
    engine.on_print(|_| {});
    engine.on_debug(|_, _, _| {});
    words::register(&mut engine);
    functions::register_handles(&mut engine);
    look::register(&mut engine);
    modifiers::register(&mut engine);
    combine::register(&mut engine);
    params::register(&mut engine);
    functions::register(&mut engine, registry);
    register_file(&mut engine);
    register_print(&mut engine);
    refuse_sleep(&mut engine);
    engine
}

/// `file("manifests/x.yaml")`: the text of a file of the playbook.
fn register_file(engine: &mut Engine) {
    engine.register_raw_fn(
        "file",
        [std::any::TypeId::of::<rhai::ImmutableString>()],
        |context, args| {
            let path = std::mem::take(args[0])
                .into_immutable_string()
                .unwrap_or_default();
            builder::with(&context, |builder, at| {
                let name = functions::load(builder, &at.file, &path)?;
                let Some(file) = builder.files.get(&name) else {
                    return Err(Diagnostic::new(
                        "psprun::plan::no_file",
                        format!("`{path}` is a folder"),
                    ));
                };
                file.text().map(rhai::ImmutableString::from).ok_or_else(|| {
                    Diagnostic::new("psprun::plan::not_text", format!("`{path}` is no UTF-8 text"))
                })
            })
        },
    );
}

/// `print(…)` and `debug(…)` become notes of the plan: planning itself prints nothing.
fn register_print(engine: &mut Engine) {
    for name in ["print", "debug"] {
        engine.register_raw_fn(
            name,
            [std::any::TypeId::of::<rhai::Dynamic>()],
            |context, args| {
                let text = args[0].to_string();
                builder::with(&context, |builder, at| {
                    builder.notes.push(format!("{at}: {text}"));
                    Ok(())
                })
            },
        );
    }
}

/// Planning waits for nothing.
fn refuse_sleep(engine: &mut Engine) {
    for time in [std::any::TypeId::of::<i64>(), std::any::TypeId::of::<f64>()] {
        engine.register_raw_fn("sleep", [time], |context, _| {
            builder::with(&context, |_, _| {
                Err::<(), _>(Diagnostic::new("psprun::plan::sleep", "a playbook cannot wait while it is planned").help(
                    "wait in a step: `cluster.wait_ready(…)`, or `.until(|out| …)` on a step that looks again",
                ))
            })
        });
    }
}

/// What the builder holds, as a plan.
pub(crate) fn finish(
    builder: Builder,
    engine: Arc<Engine>,
    sources: Arc<Sources>,
    playbook: Arc<str>,
) -> Plan {
    Plan {
        id: builder.id,
        playbook,
        graph: builder.graph,
        params: builder.params,
        notes: builder.notes,
        files: Arc::new(builder.files),
        closures: Arc::new(Closures::new(engine, sources, builder.closures)),
        secrets: builder.secrets,
    }
}

/// Lets each builtin look at what is known of its arguments.
fn check_arguments(plan: &Plan) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (id, step) in plan.steps() {
        if let Err(error) = step.builtin.check(&plan.shown_args(id)) {
            let mut problem = Diagnostic::new(error.code, error.message).at(
                step.at.clone(),
                match error.at {
                    Some(place) => format!("this step (see {place})"),
                    None => "this step".to_owned(),
                },
            );
            problem.help = error.help;
            problems.push(problem);
        }
    }
    problems
}
