rule import_dialogues:
    input:
        file=plan.dialogue_file,
        corpus=plan.corpus_list_of,
    output:
        dialogues=layout.dialogues("{dialogues}"),
    log:
        layout.log("dialogues", "{dialogues}"),
    benchmark:
        layout.benchmark("dialogues", "{dialogues}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=2_000,
    params:
        options=plan.import_options,
    shell:
        "python -m daitir.stages.import_dialogues"
        " --options {params.options:q}"
        " --file {input.file:q}"
        " --corpus {input.corpus:q}"
        " --output {output.dialogues:q}"
        " 2>&1 | tee {log:q}"
