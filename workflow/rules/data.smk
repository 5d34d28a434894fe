rule fetch_benchmark:
    output:
        file=f"{CHATIR}/{{benchmark}}.json",
    log:
        layout.log("fetch", "{benchmark}"),
    benchmark:
        layout.benchmark("fetch", "{benchmark}")
    localrule: True
    conda:
        "../../envs/daitir.yaml"
    shell:
        "python -m daitir.fetch benchmarks --output $(dirname {output.file:q}) {wildcards.benchmark:q}.json"
        " 2>&1 | tee {log:q}"


rule fetch_benchmarks:
    input:
        files=[f"{CHATIR}/{name}" for name in BENCHMARKS],
    log:
        layout.log("fetch", "all"),
    localrule: True
    conda:
        "../../envs/daitir.yaml"
    shell:
        "python -m daitir.fetch benchmarks --output $(dirname {input.files[0]:q}) --check 2>&1 | tee {log:q}"


rule list_corpus:
    input:
        images=ancient(plan.corpus_images),
    output:
        list=layout.corpus_list("{corpus}"),
    log:
        layout.log("corpora", "{corpus}"),
    benchmark:
        layout.benchmark("corpora", "{corpus}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(1),
    params:
        options=plan.list_options,
    shell:
        "python -m daitir.stages.list_corpus --images {input.images:q} --output {output.list:q} 2>&1 | tee {log:q}"


rule import_dialogues:
    input:
        file=plan.dialogue_file,
        corpus=plan.corpus_list_of,
        known=ancient(plan.known_dialogues),
    output:
        dialogues=layout.dialogues("{dialogues}"),
    log:
        layout.log("dialogues", "{dialogues}"),
    benchmark:
        layout.benchmark("dialogues", "{dialogues}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(2),
    params:
        options=plan.import_options,
    shell:
        "python -m daitir.stages.import_dialogues"
        " --options {params.options:q}"
        " --file {input.file:q}"
        " --corpus {input.corpus:q}"
        " --round-0 {input.known:q}"
        " --output {output.dialogues:q}"
        " 2>&1 | tee {log:q}"


rule simulate:
    input:
        list=plan.simulated_list,
        images=ancient(plan.simulated_images),
    output:
        dialogues=layout.simulated("{simulation}"),
        provenance=f"{layout.results}/simulated/{{simulation}}.provenance.json",
    log:
        layout.log("simulated", "{simulation}"),
    benchmark:
        layout.benchmark("simulated", "{simulation}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(24),
        runtime=hours(8),
        gpu=plan.gpu("simulation", "simulation"),
    params:
        options=plan.simulate_options,
        how=plan.how("simulation", "simulation"),
        scratch=layout.scratch("simulated", "{simulation}"),
    shell:
        "python -m daitir.stages.simulate"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --corpus {input.list:q}"
        " --images {input.images:q}"
        " --scratch {params.scratch:q}"
        " --output {output.dialogues:q}"
        " 2>&1 | tee {log:q}"


rule simulate_dialogues:
    input:
        plan.simulated,
