rule write_runs:
    input:
        ranks=plan.ranks_of_systems,
    output:
        runs=plan.runs,
    log:
        layout.log("runs"),
    benchmark:
        layout.benchmark("runs")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(1),
    params:
        options=plan.runs_options,
        results=lambda wildcards: layout.results,
    shell:
        "python -m daitir.stages.write_runs"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " 2>&1 | tee {log:q}"


for kind in plan.analysis_kinds:

    rule:
        name:
            f"analyse_{kind}"
        input:
            plan.analysis_inputs(kind),
        output:
            tables=plan.analysed_of(kind),
        log:
            layout.log("analyses", kind, "{dialogues}"),
        benchmark:
            layout.benchmark("analyses", kind, "{dialogues}")
        conda:
            "../../envs/daitir.yaml"
        resources:
            mem_mb=gigabytes(8),
            runtime=hours(8),
        params:
            options=plan.analysis_options(kind),
            sources=plan.analysis_sources(kind),
        shell:
            "python -m daitir.stages.analyse"
            " --options {params.options:q}"
            " --sources {params.sources:q}"
            " --output {output.tables:q}"
            " 2>&1 | tee {log:q}"


rule draw_analyses:
    input:
        tables=plan.analysed,
    output:
        tables=[
            in_report(layout.table(name), f"tables/{name}", "Analyses", table=name) for name in plan.analyses
        ],
        figures=[
            in_report(
                layout.figure(f"{analysis}-{name}"),
                f"figures/{analysis}",
                "Analyses",
                figure=analysis,
                dialogues=name,
            )
            for analysis, name in plan.drawn_analyses
        ],
        pictures=[layout.picture(f"{analysis}-{name}") for analysis, name in plan.drawn_analyses],
    log:
        layout.log("draw_analyses"),
    benchmark:
        layout.benchmark("draw_analyses")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(1),
    params:
        options=plan.drawing_options,
        results=lambda wildcards: layout.results,
    shell:
        "python -m daitir.stages.draw_analyses"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " 2>&1 | tee {log:q}"
