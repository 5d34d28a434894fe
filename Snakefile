from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


container: "envs/daitir.sif"  # envs/daitir.def makes it; used with --software-deployment-method apptainer


include: "workflow/rules/common.smk"
include: "workflow/rules/mini.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/queries.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/encoders.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/fusions.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/analyses.smk"


rule all:
    default_target: True
    input:
        layout.report,
        layout.summary,
        plan.analysis_tables,
        plan.analysis_figures,
        plan.judgements,
        layout.explorer,
