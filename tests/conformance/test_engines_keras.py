"""Keras on TensorFlow as installed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlspec.ir.kinds import Kind
from tests.support.libraries import compressed, predicted, succeed
from tests.support.training import call, folders, model, project, train_on_page

pytestmark = pytest.mark.engine("keras")

ALONE = """
import numpy as np
import keras
from keras import layers

def fit(features, label, params):
    x = np.asarray(features).astype("float32")
    classes, numbers = np.unique(label, return_inverse=True)
    scale = layers.Normalization()
    scale.adapt(x)
    last = layers.Dense(1, "sigmoid") if len(classes) == 2 else layers.Dense(len(classes), "softmax")
    net = keras.Sequential([keras.Input((x.shape[1],)), scale, layers.Dense(16, "relu"), last])
    net.compile(keras.optimizers.Adam(0.02),
                "binary_crossentropy" if len(classes) == 2 else "sparse_categorical_crossentropy")
    net.fit(x, numbers, epochs=20, batch_size=64, verbose=0)
    return net
"""
WIDE = 'layers.Dense(256, "relu"), layers.Dense(256, "relu")'
TOGETHER = """
import json
import numpy as np
import tensorflow as tf

def fit(features, label, rank, workers, output):
    x = np.asarray(features).astype("float32")[rank::workers]
    y = label.astype("float32")[rank::workers]
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        w = tf.Variable(tf.zeros((x.shape[1], 1)))

    @tf.function
    def one_step():
        def grad():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y[:, None], x @ w))
            found = tape.gradient(loss, w)
            found = tf.distribute.get_replica_context().all_reduce("MEAN", found)
            w.assign_sub(0.1 * found)
            return loss
        return strategy.run(grad)

    for _ in range(30):
        one_step()
    if rank == 0:
        (output / "told.json").write_text(json.dumps(
            {"workers": workers, "replicas": strategy.num_replicas_in_sync}))
        import keras
        net = keras.Sequential([keras.Input((x.shape[1],)), keras.layers.Dense(1, "sigmoid", use_bias=False)])
        net.layers[-1].set_weights([w.numpy()])
        return net
"""


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_model__trained_by_the_step__is_loaded_by_a_new_process(tmp_path, task):
    home = project(tmp_path / "home", train=ALONE)
    inputs = folders(tmp_path, task, 600, 150)
    target = tmp_path / "model"
    facts = model(task, engine="tensorflow")
    succeed("keras", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
    found = predicted("keras", target, inputs["validation"], home)
    assert found["facts"]["format"] == "keras"
    truth = np.array(found["labels"])
    said = np.array(found["predictions"])
    assert ((said > 0.5 if task == "binary" else said) == truth).mean() > 0.75


def test_tensorflow__two_workers_train_one_model(tmp_path):
    home = project(tmp_path / "home", train=TOGETHER)
    inputs = folders(tmp_path, "binary", 200, 60)
    target = tmp_path / "model"
    facts = model(engine="tensorflow", workers=2)
    succeed("keras", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
    told = json.loads((target / "extra" / "told.json").read_text())
    assert told == {"workers": 2, "replicas": 2}
    found = predicted("keras", target, inputs["validation"], home)
    assert len(found["predictions"]) == 60


@pytest.mark.parametrize(("method", "part"), [("int8", 0.5), ("int4", 0.4)])
def test_compress__layers_in_fewer_bits__smaller_and_close(tmp_path, method, part):
    home = project(tmp_path / "home", train=ALONE.replace('layers.Dense(16, "relu")', WIDE))
    inputs = folders(tmp_path, "binary", 100, 50)
    facts = model(engine="tensorflow")
    succeed("keras", call(Kind.TRAIN, facts, home, inputs, {"model": tmp_path / "model"}))
    before, after, note = compressed(
        "keras", tmp_path / "small", tmp_path / "model", home, inputs, facts, method
    )
    assert note["bytes"] < part * note["bytes_before"]
    change = np.abs(np.array(after["predictions"]) - np.array(before["predictions"])).max()
    assert 0 < change < 0.2


def test_page__its_function__makes_a_model(tmp_path):
    wanted = train_on_page(tmp_path, "with_keras", engine="tensorflow")
    succeed("keras", wanted)
    found = predicted("keras", tmp_path / "model", tmp_path / "validation", wanted.project)
    assert len(found["predictions"]) == 120
