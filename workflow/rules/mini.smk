MINI = "resources/mini"
MINI_MODELS = f"{layout.results}/models"


rule make_mini:
    output:
        expand(
            f"{MINI}/{{name}}.json",
            name=["corpus", "val", "val-llm", "val-repetitive", "train-corpus", "train"],
        ),
    log:
        "logs/mini/make.log",
    benchmark:
        "benchmarks/mini/make.tsv"
    resources:
        mem_mb=1_000,
    shell:
        f"python -m daitir.mini.make --output {MINI}" " 2>&1 | tee {log}"


rule mini_models:
    input:
        expand(f"{MINI_MODELS}/{{model}}/README.md", model=["mini-blip", "mini-llm", "mini-sd3"]),
