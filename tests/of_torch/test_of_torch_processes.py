"""Other processes: workers of a DataLoader, which are forked, and two that train together."""

import socket
import sys

import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from torch_pairs import close, grid, pair

ARGUMENTS = {"kernel_size": 4, "stride": 2, "padding": 1}


class Upsampled(Dataset):
    """Runs a layer in whatever process asks."""

    def __init__(self, layer):
        self.layer = layer

    def __len__(self):
        return 4

    def __getitem__(self, number):
        with torch.no_grad():
            return self.layer(torch.full((4, 5, 4), float(number)))


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # by JAX, if another test has loaded it
def test_workers_of_a_data_loader():
    theirs, ours = pair("ConvTranspose2d", ARGUMENTS)
    with torch.no_grad():
        for _ in range(3):
            ours(grid(2))  # threads and packed weights of the parent
        loader = DataLoader(Upsampled(ours), num_workers=2, multiprocessing_context="fork", timeout=60)
        for number, y in enumerate(loader):
            close(y[0], theirs(torch.full((4, 5, 4), float(number))))


def train(rank, port, queue):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    try:
        layer = torch.nn.parallel.DistributedDataParallel(pair("ConvTranspose2d", ARGUMENTS)[1])
        optimizer = torch.optim.SGD(layer.parameters(), 0.01)
        data = torch.randn(4, 4, 5, 4)[rank::2]
        for _ in range(3):
            optimizer.zero_grad()
            layer(data).square().mean().backward()
            optimizer.step()
        queue.put((rank, layer.module.weight.detach().numpy().copy()))
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_train_together():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    context = torch.multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=train, args=(rank, port, queue)) for rank in range(2)]
    for process in processes:
        process.start()
    results = dict(queue.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    torch.manual_seed(0)
    alone = pair("ConvTranspose2d", ARGUMENTS)[0]
    optimizer, data = torch.optim.SGD(alone.parameters(), 0.01), torch.randn(4, 4, 5, 4)
    for _ in range(3):
        optimizer.zero_grad()
        alone(data).square().mean().backward()
        optimizer.step()
    for rank in range(2):
        close(torch.from_numpy(results[rank]), alone.weight.detach())
