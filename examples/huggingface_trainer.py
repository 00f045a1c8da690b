"""Hugging Face's Trainer, with a small text model that starts from random weights."""

import random

import torch
from sklearn.metrics import accuracy_score, log_loss
from transformers import BertConfig, BertForSequenceClassification, EvalPrediction, Trainer, TrainingArguments

import dropover
from dropover import lab
from dropover.integrations.transformers import AdvanceCallback

SEEDS, EPOCHS = 6, 12
SENTENCES, WRONG = 1000, 0.1

ANIMALS, THINGS = ["cat", "dog", "horse", "mouse"], ["ball", "box", "car", "lamp"]
VERBS, QUALITIES = ["chases", "sees", "follows"], ["big", "small", "old", "red"]
WORDS = ["[PAD]", "the", "never", *ANIMALS, *THINGS, *VERBS, *QUALITIES]


def sentence(rng: random.Random) -> dict[str, list[int] | int]:
    """A sentence as its words' numbers; its label says whether an animal acts, with a few wrong labels."""
    actor, other, never = rng.choice(ANIMALS + THINGS), rng.choice(ANIMALS + THINGS), rng.random() < 0.5
    words = ["the", rng.choice(QUALITIES), actor, *(["never"] if never else []), rng.choice(VERBS), "the"]
    words += [rng.choice(QUALITIES), other, *([] if never else ["[PAD]"])]
    acts = (actor in ANIMALS) != never
    return {
        "input_ids": [WORDS.index(word) for word in words],
        "attention_mask": [int(word != "[PAD]") for word in words],
        "labels": int(acts != (rng.random() < WRONG)),
    }


def scores(prediction: EvalPrediction) -> dict[str, float]:
    shares = torch.tensor(prediction.predictions).double().softmax(1)[:, 1].numpy()
    labels = prediction.label_ids
    return {"accuracy": accuracy_score(labels, shares > 0.5), "log-loss": log_loss(labels, shares)}


def train(trial: lab.Trial) -> dict[str, float]:
    rng = random.Random("sentences")
    sentences = [sentence(rng) for _ in range(SENTENCES)]
    train_set, test_set = sentences[: SENTENCES // 2], sentences[SENTENCES // 2 :]
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=16,
    )  # fmt: skip
    model = trial.regularize(BertForSequenceClassification(config))
    arguments = TrainingArguments(
        output_dir=str(trial.folder),
        seed=trial.seed,
        # The order of batches; the Trainer adds the epoch to it, so that neighbouring seeds would share orders.
        data_seed=trial.generator("batches").initial_seed(),
        use_cpu=trial.device.type == "cpu",
        bf16=trial.precision == "bf16",
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=32,
        per_device_eval_batch_size=256,
        learning_rate=2e-3,
        eval_strategy="epoch",
        logging_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=train_set,
        eval_dataset=test_set,
        compute_metrics=scores,
        callbacks=[AdvanceCallback(trial)],  # schedules and progress; logs what the Trainer logs
    )
    trainer.train()
    measured = trainer.evaluate()
    return {name: measured[f"eval_{name}"] for name in ("accuracy", "log-loss")}


def main() -> lab.Result:
    arms = {
        "none": None,
        "dropout .1": dropover.Dropout(0.1),
        "dropout .3 to 0": dropover.Dropout(dropover.LinearSchedule(0.3, 0.0)),
        "flipover .1": dropover.Flipover(0.1),
    }
    return lab.compare(train, arms=arms, at="bert.encoder.layer.*.output", seeds=SEEDS, out="results/huggingface")


if __name__ == "__main__":
    print(main())
